/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/begin-check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "luks/context.h"
#include "luks/fields.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/log.h"

static int read_requirements(struct crypt_device *cd, uint32_t *ret_flags, char *names, size_t size)
{
	int r = crypt_persistent_flags_get(cd, CRYPT_FLAGS_REQUIREMENTS, ret_flags);

	return r < 0 ? r : luks_requirements(cd, names, size);
}

static int check_requirements(struct crypt_device *cd, const char *device)
{
	char names[256];
	uint32_t flags;
	int r = read_requirements(cd, &flags, names, sizeof(names));

	if (r < 0)
		return log_error_errno(r, "%s: cannot read the header's requirements", device);
	if (flags & CRYPT_REQUIREMENT_ONLINE_REENCRYPT) {
		log_error("%s: a re-encryption is already begun; \"recryptctl reencrypt %s\" "
			  "continues it",
			  device, device);
		return -EBUSY;
	}
	if (*names) {
		log_error("%s: the header requires \"%s\", which cannot be re-encrypted", device,
			  names);
		return -ERROR_REQUIREMENT;
	}
	return 0;
}

static int check_integrity(struct crypt_device *cd, const char *device)
{
	struct crypt_params_integrity ip = {0};
	int r;

	r = crypt_get_integrity_info(cd, &ip);
	if (r < 0)
		return log_error_errno(r, "%s: cannot read the header's integrity profile", device);
	if (ip.tag_size || ip.integrity) {
		log_error("%s: a volume with integrity protection (%s) cannot be re-encrypted",
			  device, ip.integrity ?: "AEAD");
		return -ENOTSUP;
	}
	return 0;
}

static int check_writable(const struct found_file *f)
{
	_cleanup_close_ int fd = file_open(f->fd, O_RDWR | O_NONBLOCK);

	return fd < 0 ? log_error_errno(fd, "%s: cannot be opened for writing", f->path) : 0;
}

int luks_begin_check_volume(struct crypt_device *cd, const struct luks_begin_params *params)
{
	int r;

	r = check_requirements(cd, params->device);
	if (r < 0)
		return r;
	r = check_integrity(cd, params->device);
	if (r < 0)
		return r;
	r = check_writable(&params->place->data);
	return r < 0 || !params->place->detached ? r : check_writable(&params->place->header);
}

static int device_size(const struct found_file *f, uint64_t *ret)
{
	_cleanup_close_ int fd = file_open(f->fd, O_RDONLY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, ret) < 0 ? -errno : 0;
	*ret = (uint64_t)st.st_size;
	return 0;
}

/* Bytes of the device, and where its data begins. */
static int find_data(struct crypt_device *cd, const struct found_file *f, uint64_t *ret_size,
		     uint64_t *ret_offset)
{
	int r = device_size(f, ret_size);

	return r < 0 ? r : mul_u64(crypt_get_data_offset(cd), SECTOR_SIZE, ret_offset);
}

/* Bytes of data: what the segment says, or what the device has behind the data offset. */
static int data_size(struct crypt_device *cd, const struct luks_begin_params *params,
		     const struct luks_keyslots *keyslots, uint64_t *ret)
{
	const char *device = params->device;
	uint64_t offset = 0, size = 0;
	int r = find_data(cd, &params->place->data, &size, &offset);

	if (r < 0)
		return log_error_errno(r, "%s: cannot tell its size", device);
	if (size <= offset || !range_inside(offset, keyslots->data_size, size)) {
		log_error("%s: is too small: it has %" PRIu64
			  " bytes, but its header puts data at offset %" PRIu64,
			  device, size, offset);
		return -EINVAL;
	}
	*ret = keyslots->data_size ?: size - offset;
	return 0;
}

static int check_data_size(struct crypt_device *cd, const struct luks_begin_params *params,
			   const struct luks_keyslots *keyslots, const struct luks_begin_plan *plan)
{
	uint32_t sector_size = MAX(plan->old_sector_size, plan->new_sector_size);
	uint64_t size = 0;
	int r;

	r = data_size(cd, params, keyslots, &size);
	if (r < 0)
		return r;
	if (!is_aligned(size, sector_size)) {
		log_error("%s: %" PRIu64
			  " bytes of data are not a multiple of the sector size %" PRIu32
			  "; resize the device or choose a smaller --sector-size",
			  params->device, size, sector_size);
		return -EINVAL;
	}
	if (params->device_size > size || !is_aligned(params->device_size, sector_size)) {
		log_error("%s: --device-size %" PRIu64 " must be a multiple of %" PRIu32
			  " and at most %" PRIu64,
			  params->device, params->device_size, sector_size, size);
		return -EINVAL;
	}
	return 0;
}

/* Larger sectors break a file system that reads and writes smaller blocks. */
static int check_closed(const struct luks_begin_params *params)
{
	if (params->active_name || params->force_offline)
		return 0; /* the caller has looked, or the user has */
	log_error("%s: larger sectors can break what lies on it, and of a closed volume not all of "
		  "that can be looked at; open it first, or use --force-offline-reencrypt "
		  "(dangerous)",
		  params->device);
	return -EINVAL;
}

int luks_begin_check_sizes(struct crypt_device *cd, const struct luks_begin_params *params,
			   const struct luks_keyslots *keyslots, const struct luks_begin_plan *plan)
{
	int r = check_data_size(cd, params, keyslots, plan);

	return r < 0 || plan->new_sector_size <= plan->old_sector_size ? r : check_closed(params);
}

/*
 * Content that other programs encrypt with the volume key itself: no keyslot leads to it, so it
 * cannot be carried over. systemd-homed's user record is encrypted with the volume's key and cipher
 * (luks_validate_home_record() in systemd), and a home without it is refused.
 */
static int check_token(struct crypt_device *cd, const char *device, int id)
{
	_cleanup_(json_putp) json_object *token = NULL;
	const char *text, *type, *user;

	if (crypt_token_json_get(cd, id, &text) < 0)
		return 0;
	token = json_tokener_parse(text);
	type = field_string(token, "type");
	if (!type || strcmp(type, "systemd-homed") != 0)
		return 0;
	user = field_string(token, "userName");
	log_error(
		"%s: is the home of %.64s, kept by systemd-homed, whose record in token %d is "
		"encrypted with the volume key: a new key or cipher would lock the user out for "
		"good, and systemd-homed cannot encrypt the record anew. Only the sector size can "
		"be changed: --keep-key --sector-size",
		device, user ? user : "a user", id);
	return -ENOTSUP;
}

int luks_begin_check_tokens(struct crypt_device *cd, const char *device,
			    const struct luks_begin_plan *plan)
{
	if (plan->keeps_key && strcmp(plan->old_cipher, plan->new_cipher) == 0)
		return 0;
	for (int id = 0; id < (int)LUKS_MAX_TOKENS; id++) {
		int r = check_token(cd, device, id);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Bytes of a keyslot's area: the key split into 4000 stripes, in whole blocks (LUKS2 spec, 3.2). */
static uint64_t area_size(uint32_t key_size)
{
	uint64_t size = (uint64_t)key_size * 4000;

	return round_down_u64(size + 4095, 4096);
}

static int place_keyslots(struct luks_keyslots *keyslots, size_t n, uint32_t key_size)
{
	for (size_t i = 0; i < n; i++) {
		int r = luks_keyslots_place(keyslots, area_size(key_size));

		if (r < 0)
			return r;
	}
	return 0;
}

/* At least one block of them must fit, whatever they are. */
#define RESILIENCE_MIN UINT64_C(4096)

static bool has_room(const struct luks_keyslots *keyslots, const struct luks_begin_plan *plan,
		     size_t new_slots, size_t old_slots)
{
	struct luks_keyslots after = *keyslots;

	return place_keyslots(&after, old_slots, plan->old_key_size) == 0 &&
	       place_keyslots(&after, new_slots, plan->new_key_size) == 0 &&
	       after.n < LUKS_MAX_KEYSLOTS && luks_keyslots_largest_gap(&after) >= RESILIENCE_MIN;
}

static uint64_t free_bytes(const struct luks_keyslots *keyslots)
{
	uint64_t used = 0;

	for (size_t i = 0; i < keyslots->n; i++)
		used += keyslots->slots[i].area_size;
	return keyslots->areas_end - keyslots->areas_start - used;
}

/* The only keyslot that opens the volume is never one to remove. */
static const char *how_to_make_room(const struct luks_keyslots *keyslots,
				    const struct luks_begin_plan *plan, size_t new_slots,
				    size_t old_slots)
{
	if (new_slots > old_slots + 1 && has_room(keyslots, plan, old_slots + 1, old_slots))
		return "carry only one keyslot over, chosen with --key-slot (the others are lost), "
		       "or remove keyslots that nobody needs with cryptsetup luksKillSlot";
	if (keyslots->n > 1)
		return "remove keyslots that nobody needs with cryptsetup luksKillSlot, but not "
		       "the "
		       "last one that opens the volume; or see \"Room in the header\" in "
		       "recryptctl(8)";
	return "its only keyslot has to stay, so the header must be larger: see \"Room in the "
	       "header\" in recryptctl(8)";
}

int luks_begin_check_room(const struct luks_begin_params *params,
			  const struct luks_keyslots *keyslots, const struct luks_begin_plan *plan,
			  size_t new_slots, size_t old_slots)
{
	const size_t numbers = keyslots->n + new_slots + old_slots + 1;
	const char *how;

	if (has_room(keyslots, plan, new_slots, old_slots))
		return 0;
	how = how_to_make_room(keyslots, plan, new_slots, old_slots);
	if (numbers > LUKS_MAX_KEYSLOTS)
		return log_refusal(-ENOSPC,
				   "%s: the header has no room for a re-encryption: it can have %u "
				   "keyslots, and %zu are needed for a while; %s",
				   params->device, LUKS_MAX_KEYSLOTS, numbers, how);
	return log_refusal(-ENOSPC,
			   "%s: the header has no room for a re-encryption: its keyslots area has "
			   "%" PRIu64 " bytes free, at most %" PRIu64 " of them in one piece, and "
			   "%zu more keyslots of %" PRIu64 " bytes and %" PRIu64
			   " bytes for resilience data are needed; %s",
			   params->device, free_bytes(keyslots),
			   luks_keyslots_largest_gap(keyslots), new_slots + old_slots,
			   area_size(new_slots ? plan->new_key_size : plan->old_key_size),
			   RESILIENCE_MIN, how);
}
