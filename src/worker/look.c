/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/look.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/active.h"
#include "luks/look.h"
#include "luks/unlock.h"
#include "util/checked.h"
#include "util/log.h"
#include "util/text.h"
#include "worker/identity.h"

static int explain(const struct look *l, int error, const struct luks_reason *why)
{
	const char *path = l->header_device, *detail = *why->text ? ": " : "";

	switch (error) {
	case -ENOENT:
		return log_refusal(-EINVAL, "%s: not a LUKS2 device", path);
	case -EPROTONOSUPPORT:
		return log_refusal(-ENOTSUP,
				   "%s: LUKS1; convert it first: cryptsetup convert --type luks2 "
				   "%s",
				   path, path);
	case -EOPNOTSUPP:
		return log_refusal(-ENOTSUP, "%s: cannot be re-encrypted%s%s", path, detail,
				   why->text);
	case -EBADMSG:
	case -EFBIG:
		return log_refusal(-EINVAL, "%s: the LUKS2 header cannot be used%s%s", path, detail,
				   why->text);
	default:
		return log_error_errno(error, "%s: cannot read the LUKS2 header%s%s", path, detail,
				       why->text);
	}
}

/* The one of the re-encryption itself opens nothing, and is none that a user knows of. */
static void note_keyslots(struct look *l, const struct luks_header *h)
{
	json_object *keyslots = field_get(h->json, "keyslots", json_type_object);
	json_object *digests = field_get(h->json, "digests", json_type_object);
	const int data_digest = l->status.reenc.old_side.digest;
	json_object *of_data = digests && data_digest != LUKS_DIGEST_NONE
				       ? field_get(field_by_id(digests, (unsigned)data_digest),
						   "keyslots", json_type_array)
				       : NULL;

	for (unsigned id = 0; id < LUKS_MAX_KEYSLOTS; id++) {
		json_object *keyslot = field_by_id(keyslots, id);

		if (!keyslot || strcmp(field_string(keyslot, "type"), "reencrypt") == 0)
			continue;
		l->keyslots |= UINT32_C(1) << id;
		if (of_data && ids_contain(of_data, id))
			l->data_keyslots |= UINT32_C(1) << id;
	}
	luks_bindings_read(h->json, &l->bindings);
}

static void note_sides(struct look *l, const struct luks_header *h)
{
	const struct luks_reenc *r = &l->status.reenc;

	luks_side_fingerprint(h, r->old_side.digest, r->old_side.cipher, r->old_side.sector_size,
			      l->old_side);
	if (r->state != LUKS_REENC_NONE)
		luks_side_fingerprint(h, r->new_side.digest, r->new_side.cipher,
				      r->new_side.sector_size, l->new_side);
}

/* How the volume is open, if it is. The size of the mapping may limit what is re-encrypted. */
static int note_mapping(const struct work_options *o, struct look *l, const struct luks_place *p,
			const struct luks_header *h, uint64_t device_size, uint32_t block_size)
{
	const struct active_volume *active = NULL;
	char wanted[DM_NAME_MAX + 1];
	struct luks_status limited;
	struct active found;
	struct stat st;
	int r;

	if (fstat(p->data.fd, &st) < 0)
		return log_error_errno(-errno, "%s: cannot be identified", l->device);
	r = active_find(h->uuid, &st, &found);
	if (r < 0)
		return log_error_errno(r, "%s: cannot ask device-mapper whether it is active",
				       l->device);
	if (o->target.active_name && find_mapping_name(o->target.active_name, wanted) == 0)
		active = active_pick(&found, wanted);
	if (!active)
		active = active_pick(&found, NULL);
	if (!active)
		return 0;
	(void)snprintf(l->name, sizeof(l->name), "%s", active->name);
	l->stacked = active->helpers;
	if (l->status.reenc.state != LUKS_REENC_NONE && active->size > 0 &&
	    active->size < l->status.reenc.data_size &&
	    luks_status_get(h, device_size, active->size, block_size, &limited, NULL) == 0)
		l->status = limited;
	return 0;
}

static int open_file(const struct found_file *f, const char *path, struct meta_io **ret,
		     uint32_t *ret_block_size)
{
	int r = luks_look_open(f, ret, ret_block_size);

	if (r < 0) {
		log_error_errno(r, "%s: cannot be opened", path);
		return r == -ENOENT || r == -ENXIO ? -ENODEV : r;
	}
	return 0;
}

static int read_all(const struct work_options *o, const struct luks_place *p, struct look *l,
		    struct luks_header **ret)
{
	_cleanup_(meta_io_freep) struct meta_io *data = NULL, *meta = NULL;
	_cleanup_(luks_header_freep) struct luks_header *h = NULL;
	struct luks_reason why = {};
	uint32_t block_size, unused;
	uint64_t size;
	int r = open_file(&p->data, l->device, &data, &block_size);

	if (r < 0)
		return r;
	r = open_file(&p->header, l->header_device, &meta, &unused);
	if (r < 0)
		return r;
	l->node = data->node;
	l->header_node = meta->node;
	r = luks_look_read(meta, &h, &why);
	if (r < 0)
		return explain(l, r, &why);
	r = identity_check_uuid(o, h->uuid, l->header_device);
	if (r < 0)
		return r;
	size = round_down_u64(data->size, SECTOR_SIZE);
	r = luks_status_get(h, size, o->target.device_size, block_size, &l->status, &why);
	if (r < 0)
		return explain(l, r, &why);
	note_keyslots(l, h);
	/* One that is too long was not written by us, and is no reason to see nothing at all. */
	if (luks_record_get(h, l->record) < 0)
		l->record[0] = '\0';
	l->trust = luks_record_check(h, &(const struct record_keys){});
	note_sides(l, h);
	luks_new_key_get(h, &l->status.reenc, &l->new_key);
	r = note_mapping(o, l, p, h, size, block_size);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(h);
	return 0;
}

int look(const struct work_options *o, struct look *ret, struct luks_header **ret_header)
{
	_cleanup_(luks_place_clear) struct luks_place p = LUKS_PLACE_NONE;
	_cleanup_(luks_header_freep) struct luks_header *h = NULL;
	_cleanup_free_ struct look *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	r = luks_place_find(o->target.device, o->target.header, &p);
	if (r < 0)
		return r;
	r = identity_check_place(o, &p);
	if (r < 0)
		return r;
	(void)snprintf(l->device, sizeof(l->device), "%s", p.data.path);
	(void)snprintf(l->header_device, sizeof(l->header_device), "%s", p.header.path);
	r = read_all(o, &p, l, &h);
	if (r < 0)
		return r;
	device_disks((dev_t)l->node.device, &l->disks);
	text_make_valid(l->record);
	text_make_valid(l->status.reenc.old_side.cipher);
	text_make_valid(l->status.reenc.new_side.cipher);
	*ret = *l;
	if (ret_header)
		*ret_header = TAKE_PTR(h);
	return 0;
}
