/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/volume-use.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dm/names.h"
#include "dm/orphans.h"
#include "io/active.h"
#include "io/loop.h"
#include "io/stacking.h"
#include "util/checked.h"
#include "util/log.h"

/* Bytes; of the LUKS2 header, and aligned for direct I/O. */
#define FIRST_BLOCK 4096

/* How a message names a block device. */
struct device_name {
	char text[PATH_MAX];
};

static struct device_name name_of_device(dev_t device)
{
	struct device_name name = {""};

	if (find_device_node(device, name.text, sizeof(name.text)) < 0)
		(void)snprintf(name.text, sizeof(name.text), "%u:%u", major(device), minor(device));
	return name;
}

static int refuse_copy(const struct work_volume *v, const struct active_volume *other)
{
	const struct device_name device = name_of_device(other->data_device);

	return log_refusal(-EBUSY,
			   "%s: is not open, but %s, with the same UUID and header, is open "
			   "as %s. If %s is a second path to that device, name %s instead; if it "
			   "is a copy to be re-encrypted by itself, add "
			   "--force-offline-reencrypt, or give it a UUID of its own first: "
			   "cryptsetup luksUUID",
			   v->data_path, device.text, other->name, v->data_path, device.text);
}

/* Only what is open on the very device that we were told can be worked on while it is in use. */
static int check_device(const struct work_volume *v, const struct active_volume *active,
			const struct stat *st)
{
	const struct device_name device = name_of_device(active->data_device);

	if (active->data_device == 0)
		return log_refusal(
			-EBUSY,
			"%s: is active as %s with a table that recryptctl cannot take over "
			"(another tool's re-encryption?); close it and open it again",
			v->data_path, active->name);
	if (!S_ISBLK(st->st_mode) || st->st_rdev != active->data_device)
		return log_refusal(-EBUSY,
				   "%s: is active as %s through %s; name that device to re-encrypt "
				   "the volume while it is open, or close it",
				   v->data_path, active->name, device.text);
	return 0;
}

struct other_holder {
	const struct work_volume *volume;
	const struct active_volume *active;
	bool others; /* are open with this UUID, who knows where: their helpers may be here */
	char name[64];
};

/* The mapping itself and the devices of its stack are no others. */
static int look_at_holder(dev_t holder, const char *name, void *arg)
{
	struct other_holder *other = arg;
	const char *uuid = other->volume->header->uuid;
	char helpers[DM_UUID_MAX + 1];
	struct device_info info;

	if (holder == other->active->device)
		return 0;
	if (task_info_of(holder, &info) == 0 && info.exists &&
	    name_uuid(UUID_HELPER, uuid, "", helpers) == 0 &&
	    (other->others ? find_is_helper_of(other->active, uuid, info.uuid)
			   : name_has_prefix(info.uuid, helpers)))
		return 0;
	(void)snprintf(other->name, sizeof(other->name), "%s", name);
	return 1;
}

/* Another mapping over the data would keep the old key while the data gets the new one. */
static int check_other_holders(const struct work_volume *v, const struct active_volume *active,
			       bool others)
{
	struct other_holder other = {.volume = v, .active = active, .others = others};

	assert(active->data_device != 0); /* check_device() refuses such a mapping */
	if (device_each_holder(active->data_device, look_at_holder, &other) <= 0)
		return 0;
	return log_refusal(-EBUSY,
			   "%s: is active as %s, and in use by %s as well, which would continue "
			   "with the old key; close all users but one",
			   v->data_path, active->name, other.name);
}

static int check_active(const struct work_volume *v, const struct active_volume *active,
			bool others)
{
	struct stat st;
	int r;

	if (fstat(v->data.fd, &st) < 0)
		return -errno;
	r = check_device(v, active, &st);
	if (r < 0)
		return r;
	if (v->options->rotation.force_offline)
		return log_refusal(-EBUSY, "%s: is active as %s; close it to work offline",
				   v->data_path, active->name);
	r = check_other_holders(v, active, others);
	if (r < 0)
		return r;
	if (fstat(v->meta_fd, &st) < 0)
		return -errno;
	if (device_lies_on(S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev, active->device))
		return log_refusal(
			-EBUSY,
			"%s: the header lies on the volume itself, where writing it would "
			"wait for what it describes; move it to another disk",
			v->header_path);
	return 0;
}

/* The first block of the header has a checksum and a salt of its own, new with each commit. */
static int read_first_block(int fd, void *buf)
{
	const ssize_t n = pread(fd, buf, FIRST_BLOCK, 0);

	return n < 0 ? -errno : n == FIRST_BLOCK ? 0 : -ENODATA;
}

/*
 * Two device nodes can be two paths to one disk, which the kernel does not know. They are two disks
 * for certain where they differ in size, or in a header that stands still meanwhile.
 */
static bool is_another_disk(const struct work_volume *v, dev_t device)
{
	_Alignas(FIRST_BLOCK) uint8_t ours[FIRST_BLOCK], theirs[FIRST_BLOCK], again[FIRST_BLOCK];
	_cleanup_close_ int fd = device_open_node(device, O_RDONLY | O_DIRECT);
	uint64_t size;

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size) < 0)
		return false;
	if (round_down_u64(size, SECTOR_SIZE) != v->data.geometry.size)
		return true;
	return v->header_on_data && read_first_block(v->data.fd, ours) == 0 &&
	       read_first_block(fd, theirs) == 0 && read_first_block(v->data.fd, again) == 0 &&
	       memcmp(ours, again, FIRST_BLOCK) == 0 && memcmp(ours, theirs, FIRST_BLOCK) != 0;
}

static int check_closed(const struct work_volume *v, const struct active *a)
{
	for (unsigned i = 0; i < a->n_elsewhere; i++) {
		const struct active_volume *other = &a->elsewhere[i];

		if (!v->options->rotation.force_offline && !is_another_disk(v, other->data_device))
			return refuse_copy(v, other);
		log_info("%s: is not open; %s, open as %s, has the same UUID and stays as it is",
			 v->data_path, name_of_device(other->data_device).text, other->name);
	}
	return 0;
}

/* Names of mappings for a message. */
struct names {
	char text[512];
};

static struct names names_here(const struct active *a)
{
	struct names n = {""};

	for (unsigned i = 0; i < a->n_here; i++) {
		const size_t used = strlen(n.text);

		(void)snprintf(n.text + used, sizeof(n.text) - used, "%s%s",
			       i == 0 ? "" : " and as ", a->here[i].name);
	}
	return n;
}

/* The mapping that the user names is not one of this device. */
static int refuse_wanted(const struct work_volume *v, const char *wanted, const struct active *a)
{
	const struct names here = names_here(a);
	struct active_volume other;
	int r = find_volume_by_name(wanted, &other);

	if (r == -ENODEV || r == -EINVAL || r == -ENAMETOOLONG)
		return log_refusal(-ENODEV, "%s: no active LUKS2 volume of this name; %s is %s%s",
				   wanted, v->data_path, a->n_here > 0 ? "open as " : "not open",
				   here.text);
	if (r < 0)
		return log_error_errno(r, "%s: cannot ask device-mapper what lies below it",
				       wanted);
	return log_refusal(
		-ENODEV,
		"%s: does not lie on %s, which is %s%s; it lies on %s: name that "
		"device, or none, to re-encrypt %s",
		other.name, v->data_path, a->n_here > 0 ? "open as " : "not open", here.text,
		other.data_device ? name_of_device(other.data_device).text : "another device",
		other.name);
}

/*
 * The mapping to work on: the one that is named, or the only one. Another one that is known to lie
 * here would keep the old key. Of one that may lie anywhere, the holders of the device tell.
 */
static int choose(const struct work_volume *v, const struct active *a, const char *wanted,
		  const struct active_volume **ret)
{
	const struct active_volume *chosen = active_pick(a, wanted);

	if (wanted && !chosen)
		return refuse_wanted(v, wanted, a);
	for (unsigned i = 0; i < a->n_here; i++)
		if (&a->here[i] != chosen && (!wanted || a->here[i].data_device != 0))
			return log_refusal(
				-ENOTUNIQ,
				"%s: is active under several names (as %s): all but "
				"one would keep the old key; close the others%s",
				v->data_path, names_here(a).text,
				wanted ? ""
				       : ", or give --active-name where they lie on other devices");
	*ret = chosen;
	return 0;
}

/* What --active-name means, which may be a path. */
static int find_wanted(const struct work_volume *v, char *name, const char **ret)
{
	const char *given = v->options->target.active_name;
	int r;

	*ret = NULL;
	if (!given)
		return 0;
	r = find_mapping_name(given, name);
	if (r < 0)
		return log_refusal(-ENODEV, "%s: no active LUKS2 volume of this name", given);
	*ret = name;
	return 0;
}

int volume_find_active(struct work_volume *v)
{
	const struct active_volume *chosen = NULL;
	char name[DM_NAME_MAX + 1];
	const char *wanted;
	struct active a;
	struct stat st;
	int r;

	assert(!v->name);
	r = find_wanted(v, name, &wanted);
	if (r < 0)
		return r;
	if (fstat(v->data.fd, &st) < 0)
		return -errno;
	r = active_find(v->header->uuid, &st, &a);
	if (r < 0)
		return log_error_errno(r, "%s: cannot ask device-mapper whether it is active",
				       v->data_path);
	r = choose(v, &a, wanted, &chosen);
	if (r < 0)
		return r;
	if (!chosen)
		return check_closed(v, &a);
	r = check_active(v, chosen, a.n_here > 1);
	if (r < 0)
		return r;
	v->name = strdup(chosen->name);
	if (!v->name)
		return -ENOMEM;
	v->active_size = chosen->size;
	v->stacked = chosen->helpers;
	return 0;
}

/* The very device that is open, whatever its path leads to by now. */
static int open_exclusively(int fd)
{
	char same[32];

	(void)snprintf(same, sizeof(same), "/proc/self/fd/%d", fd);
	fd = open(same, O_RDONLY | O_EXCL | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Offline: nobody may mount or map the device while it is worked on. */
int volume_claim_device(struct work_volume *v)
{
	int removed, fd;

	assert(v->exclusive_fd < 0 || fcntl(v->exclusive_fd, F_GETFD) >= 0);
	if (v->name || !v->data.geometry.is_block || v->exclusive_fd >= 0)
		return 0;
	fd = open_exclusively(v->data.fd);
	if (fd == -EBUSY) {
		removed = orphans_remove(v->header->uuid);
		if (removed > 0)
			log_info("%s: %d devices that a killed worker left are removed",
				 v->data_path, removed);
		else if (removed < 0 && removed != -EOPNOTSUPP)
			log_warning_errno(removed,
					  "%s: cannot remove the devices that a killed worker left",
					  v->data_path);
		fd = open_exclusively(v->data.fd);
	}
	if (fd == -EBUSY)
		return log_refusal(fd, "%s: is in use (mounted, mapped, or part of something)",
				   v->data_path);
	if (fd < 0)
		return log_error_errno(fd, "%s: cannot be opened for exclusive use", v->data_path);
	v->exclusive_fd = fd;
	return 0;
}

/* An open volume is known for one; the loop devices that cannot be looked at may be anybody's. */
static int refuse_unknown(const struct work_volume *v, const char *path,
			  const struct use_reason *why)
{
	if (v->name || v->options->rotation.force_offline)
		return 0;
	return log_refusal(-EBUSY,
			   "%s: cannot tell whether it is in use through a loop device (%s); if it "
			   "is not, add --force-offline-reencrypt (dangerous: the data of an open "
			   "volume would be lost)",
			   path, why->text);
}

static int claim_loops(struct work_volume *v, int fd, const char *path)
{
	struct use_reason why;
	int r = loop_claims_take(&v->loops, fd, &why);

	switch (r) {
	case 0:
		return 0;
	case -EBUSY:
		return log_refusal(r,
				   "%s: is in use through %s, which is mounted or mapped; close "
				   "what is open there",
				   path, why.text);
	case -ENODATA:
		return refuse_unknown(v, path, &why);
	default:
		return log_error_errno(r, "%s: cannot claim the loop devices over it%s%s", path,
				       *why.text ? ": " : "", why.text);
	}
}

static int claim_file(struct work_volume *v, int fd, const char *path)
{
	struct use_reason why;
	int r = claim_loops(v, fd, path);

	if (r < 0)
		return r;
	r = file_check_locks(fd, &why);
	return r == -EBUSY ? log_refusal(r, "%s: is in use: %s", path, why.text) : r;
}

int volume_claim(struct work_volume *v)
{
	int r = volume_claim_device(v);

	if (r < 0)
		return r;
	r = claim_file(v, v->data.fd, v->data_path);
	if (r < 0 || v->header_on_data)
		return r;
	return claim_file(v, v->meta_fd, v->header_path);
}

void volume_unclaim(struct work_volume *v)
{
	cleanup_close(&v->exclusive_fd);
	v->exclusive_fd = -1;
	loop_claims_free(&v->loops);
}

int volume_check_claim(struct work_volume *v)
{
	struct use_reason why;

	assert(!v->name);
	if (loop_claims_take(&v->loops, v->data.fd, &why) != -EBUSY)
		return 0;
	return log_refusal(
		-EBUSY,
		"%s: has come into use through %s since the work began; what is open "
		"there reads and writes with the old key where the data has the new one. "
		"Close it at once, and look at what it wrote",
		v->data_path, why.text);
}
