/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The device stack of a volume in use, and what the user can do where it cannot be had. */
#include "worker/conversion-internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "util/error.h"
#include "util/log.h"
#include "worker/live-key.h"
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

static struct stack_config stack_config_of(const struct work_volume *v,
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
		.may_be_thawed = reenc->resilience == LUKS_RESILIENCE_CHECKSUM,
		.old_side = conversion_stack_side(&reenc->old_side, keys->old_key),
		.new_side = conversion_stack_side(&reenc->new_side, keys->new_key),
	};
}

/*
 * The data belong to the mapping's key, which the header may not have any more: nobody could open
 * them again once the mapping is closed.
 */
static int refuse_other_key(const struct work_volume *v)
{
	return log_refusal(-ERROR_HEADER_CHANGED,
			   "%s: the open mapping of %s has another volume key than the LUKS2 "
			   "header on %s (was the header replaced or restored, or do several "
			   "devices share it?): its data would be lost. Close it only if a backup "
			   "has the header of these data, and open the volume with that one; "
			   "otherwise copy the data from %s first",
			   v->name, v->data_path, v->header_path, v->name);
}

static int refuse_gone(const struct work_volume *v, int error)
{
	return log_refusal(error,
			   "%s: the disk is gone; connect it again, close %s and open it from "
			   "there, then: recryptctl reencrypt --resume-only %s",
			   v->data_path, v->name, v->arguments);
}

static int explain_stack_error(const struct work_volume *v, int error)
{
	switch (error) {
	case 0:
		return 0;
	case -EBUSY:
		log_error("%s: is suspended, or has devices under it that recryptd did not make; "
			  "resume it "
			  "with cryptsetup luksResume, or close the volume and open it again",
			  v->name);
		return error;
	case -ENODEV:
		return log_refusal(-EBUSY, "%s: was closed meanwhile; try again", v->name);
	case -ENOTUNIQ:
		log_error("%s: the live table is not what the header of %s describes; if "
			  "that is the header of these data, close the volume and open it again",
			  v->name, v->header_path);
		return error;
	case -ERROR_OTHER_KEY:
		return refuse_other_key(v);
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
	case -EDQUOT:
		return log_refusal(
			-ENOMEM,
			"%s: the kernel's keyring has no room for the volume keys; raise "
			"kernel.keys.root_maxkeys and kernel.keys.root_maxbytes (sysctl)",
			v->name);
	case -EUNATCH:
		log_error("%s: the hotzone at offset %" PRIu64
			  " needs recovery, but is not frozen; close the volume, then run: "
			  "recryptctl recover %s",
			  v->name, v->reenc.boundary, v->arguments);
		return error;
	default:
		if (device_is_gone(&v->data))
			return refuse_gone(v, error);
		return log_error_errno(error, "%s: cannot stack the devices for re-encryption",
				       v->name);
	}
}

int conversion_check_stack(const struct work_volume *v)
{
	const struct conversion_keys no_keys = {};
	const struct stack_config config = stack_config_of(v, &no_keys);

	return explain_stack_error(v, stack_check(&config));
}

static int prove_side_by_kernel(struct work_volume *v, const struct luks_side *side,
				const struct secret *key, const struct stack_view *view)
{
	_cleanup_(kernel_cipher_freep) struct kernel_cipher *kernel = NULL;
	const struct stack_side s = conversion_stack_side(side, key);
	int r = kernel_cipher_new(v, side->offset, v->reenc.data_size, &s, &kernel);

	if (r < 0)
		return r;
	return live_key_prove(v, &(struct engine_side){.plaintext = kernel_cipher_disk(kernel)},
			      view);
}

/* While I/O may wait in a dead worker's stack no device is made: only the tables tell then. */
static int prove_side(struct work_volume *v, const struct luks_side *side, const struct secret *key,
		      const struct stack_view *view)
{
	_cleanup_(cipher_freep) struct cipher *cipher = NULL;
	int r;

	if (view->device == 0 || view->size == 0)
		return 0;
	r = cipher_new(side->cipher, key, side->sector_size, 1, &cipher);
	if (r == -EOPNOTSUPP)
		return v->stacked ? 0 : prove_side_by_kernel(v, side, key, view);
	if (r < 0)
		return r;
	return live_key_prove(v, &(struct engine_side){.cipher = cipher}, view);
}

/* A frozen stack has to be let go of even where the data cannot be read any more. */
static int check_side_key(struct work_volume *v, const struct luks_side *side,
			  const struct secret *key, const struct stack_view *view)
{
	int r = prove_side(v, side, key, view);

	if (r == -ERROR_OTHER_KEY)
		return refuse_other_key(v);
	if (r == 0 || !v->stacked)
		return r < 0 ? log_error_errno(r,
					       "%s: cannot compare the volume key of the open "
					       "mapping with that of the header on %s",
					       v->name, v->header_path)
			     : 0;
	(void)log_message_errno(LOG_DEBUG, r, "%s: cannot compare its key with the header's",
				v->name);
	return 0;
}

int conversion_try_stack(struct work_volume *v, const struct conversion_keys *keys)
{
	const struct stack_config config = stack_config_of(v, keys);
	const struct stack_position now = {v->reenc.boundary, v->reenc.hot_size};
	struct stack_view old_view, new_view;
	int r;

	assert(v->name);
	r = explain_stack_error(v, stack_try(&config, &now, &old_view, &new_view));
	if (r < 0)
		return r;
	r = check_side_key(v, &v->reenc.old_side, keys->old_key, &old_view);
	return r < 0 ? r : check_side_key(v, &v->reenc.new_side, keys->new_key, &new_view);
}

int conversion_stack(struct conversion *c)
{
	const struct work_volume *v = c->volume;
	const struct stack_config config = stack_config_of(v, c->keys);
	const struct stack_position now = {v->reenc.boundary, v->reenc.hot_size};
	int r;

	assert(v->name && !c->stack);
	/* conversion_try_stack() has told what it found: this is an error of device-mapper. */
	r = stack_new(&config, &now, &c->stack);
	if (r < 0)
		return log_error_errno(r,
				       "%s: device-mapper cannot set up the devices for "
				       "re-encryption; run the command again, or close the volume",
				       v->name);
	freezer_dm_init(&c->freezer, c->stack, &c->store);
	return 0;
}

static int explain_leftovers(const struct work_volume *v, int error)
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

static int explain_unsettled(const struct work_volume *v, int error)
{
	return log_error_errno(error,
			       "%s: cannot take away what a killed worker left under it; "
			       "close the volume and open it again",
			       v->name);
}

static int settle_stack(const struct work_volume *v, const struct stack_config *config,
			const struct stack_position *end)
{
	_cleanup_(stack_freep) struct stack *s = NULL;
	int r = stack_new(config, end, &s);

	if (r < 0)
		return explain_unsettled(v, r);
	r = stack_dissolve(s, end->boundary);
	return r < 0 ? explain_unsettled(v, r) : 0;
}

int conversion_settle(struct work_volume *v, const struct secret *key)
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
	struct stack_view unused, view;
	int r;

	assert(v->name && v->lock && reenc->state == LUKS_REENC_NONE);
	r = process_stay_in_memory();
	if (r < 0)
		return r;
	r = stack_try(&config, &end, &unused, &view);
	if (r == -ERROR_OTHER_KEY)
		return refuse_other_key(v);
	if (r < 0)
		return explain_unsettled(v, r);
	r = check_side_key(v, &reenc->new_side, key, &view);
	return r < 0 ? r : settle_stack(v, &config, &end);
}
