/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The device stack of a volume in use, and what the user can do where it cannot be had. */
#include "worker/conversion-internal.h"

#include <errno.h>
#include <inttypes.h>

#include "util/log.h"
#include "worker/process.h"

struct stack_side conversion_stack_side(const struct luks_side *side, const struct secret *key)
{
	return (struct stack_side){
		.cipher = side->cipher,
		.key = key,
		.sector_size = side->sector_size,
		.digest = (unsigned)side->digest,
	};
}

static struct stack_config stack_config_of(const struct volume *v,
					   const struct conversion_keys *keys)
{
	const struct luks_reenc *reenc = &v->reenc;

	return (struct stack_config){
		.name = v->name,
		.uuid = v->header->uuid,
		.data_device = volume_data_device(v),
		.data_offset = reenc->data_offset,
		.size = reenc->data_size,
		.backward = reenc->state != LUKS_REENC_NONE && reenc->direction == LUKS_BACKWARD,
		.old_side = conversion_stack_side(&reenc->old_side, keys->old_key),
		.new_side = conversion_stack_side(&reenc->new_side, keys->new_key),
	};
}

static int explain_stack_error(const struct volume *v, int error)
{
	switch (error) {
	case 0:
		return 0;
	case -EBUSY:
		log_error("%s: is suspended, or has devices under it that are not ours; resume it "
			  "with cryptsetup luksResume, or close the volume and open it again",
			  v->name);
		return error;
	case -ENOTUNIQ:
		log_error("%s: the live table is not what the header of %s describes; close the "
			  "volume and open it again",
			  v->name, v->header_path);
		return error;
	case -EROFS:
		return log_refusal(error,
				   "%s: was opened read-only; close it and open it for "
				   "writing",
				   v->name);
	case -EOPNOTSUPP:
		log_error("%s: was opened with an option that cannot be kept while it is "
			  "re-encrypted; close it and open it without",
			  v->name);
		return -ENOTSUP;
	case -EUNATCH:
		log_error("%s: the hotzone at offset %" PRIu64
			  " needs recovery, but is not frozen; close the volume, then run: "
			  "recryptctl recover %s",
			  v->name, v->reenc.boundary, v->arguments);
		return error;
	default:
		return log_error_errno(error, "%s: cannot stack the devices for re-encryption",
				       v->name);
	}
}

int conversion_check_stack(const struct volume *v)
{
	const struct conversion_keys no_keys = {};
	const struct stack_config config = stack_config_of(v, &no_keys);

	return explain_stack_error(v, stack_check(&config));
}

int conversion_try_stack(const struct volume *v, const struct conversion_keys *keys)
{
	const struct stack_config config = stack_config_of(v, keys);
	const struct stack_position now = {v->reenc.boundary, v->reenc.hot_size};

	return explain_stack_error(v, stack_try(&config, &now));
}

int conversion_stack(struct conversion *c)
{
	const struct volume *v = c->volume;
	const struct stack_config config = stack_config_of(v, c->keys);
	const struct stack_position now = {v->reenc.boundary, v->reenc.hot_size};
	int r = explain_stack_error(v, stack_new(&config, &now, &c->stack));

	if (r == 0)
		freezer_dm_init(&c->freezer, c->stack, &c->store);
	return r;
}

static int explain_leftovers(const struct volume *v, int error)
{
	return error < 0
		       ? log_error_errno(error,
					 "%s: cannot take the helper devices away; run recryptctl "
					 "recover %s to try again, or close the volume",
					 v->name, v->arguments)
		       : 0;
}

int conversion_unstack(struct conversion *c)
{
	if (!c->stack || c->position.hotzone_size > 0)
		return 0;
	return explain_leftovers(c->volume, stack_dissolve(c->stack, c->position.boundary));
}

int conversion_settle(const struct volume *v, const struct secret *key)
{
	const struct luks_reenc *reenc = &v->reenc;
	const struct stack_side side = conversion_stack_side(&reenc->new_side, key);
	const struct stack_config config = {
		.name = v->name,
		.uuid = v->header->uuid,
		.data_device = volume_data_device(v),
		.data_offset = reenc->data_offset,
		.size = reenc->data_size,
		.finished = true,
		.old_side = side,
		.new_side = side,
	};
	const struct stack_position end = {.boundary = reenc->data_size};
	_cleanup_(stack_freep) struct stack *s = NULL;
	int r = process_stay_in_memory();

	if (r < 0)
		return r;
	r = stack_new(&config, &end, &s);
	if (r == 0)
		r = stack_dissolve(s, end.boundary);
	if (r < 0)
		return log_error_errno(r,
				       "%s: cannot take away what a killed worker left under it; "
				       "close the volume and open it again",
				       v->name);
	return 0;
}
