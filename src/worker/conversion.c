/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/conversion.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm/stack.h"
#include "io/disk-uring.h"
#include "luks/wipe.h"
#include "util/checked.h"
#include "util/log.h"
#include "worker/freezer-dm.h"
#include "worker/kernel-cipher.h"
#include "worker/luks-store.h"
#include "worker/process.h"

enum { OLD, NEW };

struct conversion {
	struct volume *volume;
	const struct conversion_keys *keys;
	const struct conversion_watch *watch;
	struct disk *disk;
	struct pool *pool;
	struct checksum *checksum;
	struct cipher *cipher[2];
	struct kernel_cipher *kernel_cipher[2]; /* of a side whose cipher OpenSSL lacks */
	struct luks_store store;
	struct stack *stack;
	struct freezer_dm freezer;
	struct engine *engine;
	struct position position; /* what the header says, or may say after an error */
	uint64_t longest_freeze_usec, data_flushes;
};

static bool stop_wanted(void *arg)
{
	const struct conversion *c = arg;

	return c->watch->stop(c->watch->arg);
}

static void on_progress(void *arg, const struct engine_progress *p)
{
	struct conversion *c = arg;

	c->longest_freeze_usec = p->longest_freeze_usec;
	c->data_flushes = p->flushes;
	if (c->watch->progress)
		c->watch->progress(c->watch->arg, p);
}

static bool pause_due(void *arg, uint64_t converted)
{
	const struct conversion *c = arg;

	return c->watch->pause_due(c->watch->arg, converted);
}

static int make_pause(void *arg, uint64_t converted, uint64_t *ret_hotzone_size)
{
	struct conversion *c = arg;

	return c->watch->pause(c->watch->arg, &c->store, converted, ret_hotzone_size);
}

static void wake_disk(void *arg)
{
	struct disk *d = arg;

	d->ops->wake(d);
}

static unsigned available_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (unsigned)MAX(CPU_COUNT(&set), 1);
}

static struct stack_side side_of(const struct luks_side *side, const struct secret *key)
{
	return (struct stack_side){
		.cipher = side->cipher,
		.key = key,
		.sector_size = side->sector_size,
		.digest = (unsigned)side->digest,
	};
}

static int make_side(struct conversion *c, int which, const struct luks_side *side,
		     const struct secret *key)
{
	int r = cipher_new(side->cipher, key, side->sector_size, pool_lanes(c->pool),
			   &c->cipher[which]);

	if (r == -EOPNOTSUPP) {
		const struct stack_side s = side_of(side, key);

		return kernel_cipher_new(c->volume, side->offset, c->volume->reenc.data_size, &s,
					 &c->kernel_cipher[which]);
	}
	if (r < 0)
		return log_error_errno(r, "%s: cannot set up cipher %s with a key of %zu bits",
				       c->volume->data_path, side->cipher, key->size * 8);
	return 0;
}

static int make_crypto(struct conversion *c)
{
	const struct luks_reenc *reenc = &c->volume->reenc;
	int r = pool_new(available_cpus(), wake_disk, c->disk, &c->pool);

	if (r < 0)
		return log_error_errno(r, "cannot start threads");
	if (reenc->resilience == LUKS_RESILIENCE_CHECKSUM) {
		r = checksum_new(reenc->hash, pool_lanes(c->pool), &c->checksum);
		if (r < 0)
			return log_error_errno(r, "%s: OpenSSL has no hash %s for the checksums",
					       c->volume->data_path, reenc->hash);
	}
	r = make_side(c, OLD, &reenc->old_side, c->keys->old_key);
	if (r < 0)
		return r;
	return make_side(c, NEW, &reenc->new_side, c->keys->new_key);
}

static struct engine_side engine_side(const struct conversion *c, int which)
{
	const struct kernel_cipher *k = c->kernel_cipher[which];

	return (struct engine_side){
		.cipher = c->cipher[which],
		.plaintext = k ? kernel_cipher_disk(k) : NULL,
	};
}

uint64_t conversion_hotzone_size(const struct volume *v)
{
	if (v->options->hotzone_size > 0)
		return MIN(v->options->hotzone_size, ENGINE_HOTZONE_MAX);
	return v->name ? HOTZONE_ONLINE : HOTZONE_OFFLINE;
}

static int make_engine(struct conversion *c)
{
	const struct volume *v = c->volume;
	const struct luks_reenc *reenc = &v->reenc;
	const struct engine_config config = {
		.disk = c->disk,
		.disk_offset = reenc->data_offset,
		.size = reenc->data_size,
		.direction = reenc->direction == LUKS_FORWARD ? ENGINE_FORWARD : ENGINE_BACKWARD,
		.resilience = reenc->resilience == LUKS_RESILIENCE_JOURNAL ? ENGINE_JOURNAL
									   : ENGINE_CHECKSUM,
		.old_side = engine_side(c, OLD),
		.new_side = engine_side(c, NEW),
		.checksum = c->checksum,
		.block_size = reenc->block_size,
		.hotzone_size = conversion_hotzone_size(v),
		.header = &c->store.store,
		.freezer = v->name ? &c->freezer.freezer : NULL,
		.pool = c->pool,
		.stop = stop_wanted,
		.pause_due = c->watch->pause_due ? pause_due : NULL,
		.pause = c->watch->pause ? make_pause : NULL,
		.progress = on_progress,
		.callback_arg = c,
	};
	int r = engine_new(&config, &c->engine);

	if (r == -ENOSPC)
		return log_error_errno(
			r,
			"%s: the keyslots area has no room for the resilience data of "
			"even one block; a larger one needs a new header",
			v->header_path);
	if (r == -EINVAL)
		return log_error_errno(
			r,
			"%s: %" PRIu64 " bytes of data from offset %" PRIu64 " are no "
			"multiple of %u; use --device-size to leave the rest out",
			v->data_path, reenc->data_size, reenc->data_offset, reenc->block_size);
	if (r < 0)
		return log_error_errno(r, "%s: cannot allocate and lock memory for the hotzone",
				       v->data_path);
	return 0;
}

static struct stack_config stack_config_of(const struct volume *v,
					   const struct conversion_keys *keys)
{
	const struct luks_reenc *reenc = &v->reenc;

	return (struct stack_config){
		.name = v->name,
		.uuid = v->header->uuid,
		.data_device = v->data_path,
		.data_offset = reenc->data_offset,
		.size = reenc->data_size,
		.backward = reenc->state != LUKS_REENC_NONE && reenc->direction == LUKS_BACKWARD,
		.old_side = side_of(&reenc->old_side, keys->old_key),
		.new_side = side_of(&reenc->new_side, keys->new_key),
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
	case -ENAMETOOLONG:
		log_error("%s: this name is too long for helper devices beside it; close the "
			  "volume and open it under another name",
			  v->name);
		return error;
	case -EUNATCH:
		log_error("%s: the hotzone at offset %" PRIu64
			  " needs recovery, but is not frozen; close the volume, then run: "
			  "recryptctl recover %s",
			  v->name, v->reenc.boundary, v->data_path);
		return error;
	default:
		return log_error_errno(error, "%s: cannot stack the devices for re-encryption",
				       v->name);
	}
}

static int make_stack(struct conversion *c)
{
	const struct volume *v = c->volume;
	const struct stack_config config = stack_config_of(v, c->keys);
	const struct stack_position now = {v->reenc.boundary, v->reenc.hot_size};
	int r = explain_stack_error(v, stack_new(&config, &now, &c->stack));

	if (r == 0)
		freezer_dm_init(&c->freezer, c->stack, &c->store);
	return r;
}

static int make_disk(const struct volume *v, struct disk **ret)
{
	int r = disk_uring_new(v->data.fd, v->data_path, ret);

	if (r == -EOPNOTSUPP)
		return log_error_errno(r,
				       "%s: this kernel has no usable io_uring, or forbids it "
				       "(sysctl kernel.io_uring_disabled)",
				       v->data_path);
	return r < 0 ? log_error_errno(r, "%s: cannot set up I/O", v->data_path) : 0;
}

int conversion_check(const struct volume *v)
{
	const struct conversion_keys no_keys = {};
	struct disk *disk = NULL;
	int r = process_stay_in_memory();

	if (r == 0)
		r = make_disk(v, &disk);
	if (r < 0)
		return r;
	disk_free(disk);
	if (v->name) {
		const struct stack_config config = stack_config_of(v, &no_keys);

		r = explain_stack_error(v, stack_check(&config));
	}
	return r;
}

static int make_all(struct conversion *c)
{
	struct volume *v = c->volume;
	int r = process_stay_in_memory();

	if (r == 0)
		r = make_disk(v, &c->disk);
	if (r < 0)
		return r;
	luks_store_init(&c->store, v->meta, v->header, &v->reenc, v->meta_fd, v->header_path,
			v->header_on_data);
	r = make_crypto(c);
	if (r < 0)
		return r;
	r = make_engine(c);
	if (r < 0 || !v->name)
		return r;
	return make_stack(c);
}

/* Jobs use the ciphers and the engine's memory, the pool wakes the disk, and the kernel uses the
 * engine's memory until the disk is free. */
static void free_all(struct conversion *c)
{
	c->pool = pool_free(c->pool);
	c->disk = disk_free(c->disk);
	c->engine = engine_free(c->engine);
	c->stack = stack_free(c->stack);
	for (int i = 0; i < 2; i++) {
		c->cipher[i] = cipher_free(c->cipher[i]);
		c->kernel_cipher[i] = kernel_cipher_free(c->kernel_cipher[i]);
	}
	c->checksum = checksum_free(c->checksum);
}

static int convert(struct conversion *c, bool recover_only, enum engine_outcome *ret)
{
	const struct luks_reenc *reenc = &c->volume->reenc;
	struct position from;
	int r;

	c->position = (struct position){reenc->boundary, reenc->hot_size};
	if (reenc->state == LUKS_REENC_HOT) {
		log_info("%s: recovering the hotzone at offset %" PRIu64, c->volume->data_path,
			 reenc->boundary);
		from = c->position;
		r = engine_recover(c->engine, &from);
		c->position = engine_position(c->engine);
		if (r < 0)
			return r;
	}
	*ret = reenc->state == LUKS_REENC_NONE ? ENGINE_FINISHED : ENGINE_STOPPED;
	if (recover_only || *ret == ENGINE_FINISHED)
		return 0;
	from = c->position;
	r = engine_run(c->engine, &from, ret);
	c->position = engine_position(c->engine);
	return r;
}

/*
 * What the finished header no longer refers to held keys. Since the commit another tool may have
 * put a new keyslot there: that is left alone, and none is added meanwhile.
 */
static int wipe_freed(struct volume *v, const struct luks_areas *freed)
{
	_cleanup_(luks_lock_freep) struct luks_lock *lock = NULL;
	_cleanup_(luks_header_freep) struct luks_header *now = NULL;
	int r = luks_lock_metadata(v->meta_fd, v->header_path, LUKS_LOCK_EXCLUSIVE, &lock);

	if (r == 0)
		r = luks_header_read(v->meta, &now, NULL);
	if (r < 0)
		return log_error_errno(r,
				       "%s: the re-encryption is complete, but the areas of the "
				       "old keyslots cannot be wiped",
				       v->header_path);
	for (unsigned i = 0; i < freed->count; i++) {
		if (luks_area_is_used(now, freed->area[i].offset, freed->area[i].size))
			continue;
		r = luks_wipe_area(v->meta, freed->area[i].offset, freed->area[i].size);
		if (r < 0)
			return log_error_errno(
				r,
				"%s: the re-encryption is complete, but the area of the "
				"old keyslot at offset %" PRIu64 " cannot be wiped",
				v->header_path, freed->area[i].offset);
	}
	return 0;
}

static int explain_leftovers(const struct volume *v, int error)
{
	return error < 0
		       ? log_error_errno(error,
					 "%s: cannot take the helper devices away; run recryptctl "
					 "recover %s to try again, or close the volume",
					 v->name, v->data_path)
		       : 0;
}

/* Clean: the live table becomes a plain one. Hot: all stays as it is, for the next attempt. */
static int dissolve(struct conversion *c)
{
	if (!c->stack || c->position.hotzone_size > 0)
		return 0;
	return explain_leftovers(c->volume, stack_dissolve(c->stack, c->position.boundary));
}

static void tell_how_to_go_on(const struct conversion *c)
{
	const struct volume *v = c->volume;

	if (v->reenc.state == LUKS_REENC_NONE)
		return; /* the final commit is made; what failed behind it has been said */
	if (c->position.hotzone_size == 0)
		log_error("%s: stopped with a clean header; go on with: recryptctl reencrypt "
			  "--resume-only %s",
			  v->data_path, v->data_path);
	else
		log_error(
			"%s: the hotzone at offset %" PRIu64 " is not finished%s; all else is in "
			"order. Repair the cause, then run: recryptctl reencrypt --resume-only %s",
			v->data_path, c->position.boundary,
			v->name ? " and answers with I/O errors" : "", v->data_path);
}

int conversion_finish(struct volume *v)
{
	struct luks_store store;
	int r;

	luks_store_init(&store, v->meta, v->header, &v->reenc, v->meta_fd, v->header_path,
			v->header_on_data);
	r = store.store.ops->finish(&store.store);
	if (r < 0)
		return log_error_errno(r, "%s: cannot make the final commit of the LUKS2 header",
				       v->header_path);
	return wipe_freed(v, &store.freed);
}

int conversion_settle(const struct volume *v, const struct secret *key)
{
	const struct luks_reenc *reenc = &v->reenc;
	const struct stack_side side = side_of(&reenc->new_side, key);
	const struct stack_config config = {
		.name = v->name,
		.uuid = v->header->uuid,
		.data_device = v->data_path,
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

int conversion_run(struct volume *v, const struct conversion_keys *keys, bool recover_only,
		   const struct conversion_watch *watch, enum engine_outcome *ret)
{
	struct conversion c = {
		.volume = v,
		.keys = keys,
		.watch = watch,
	};
	int r = make_all(&c), r2;

	if (r < 0) {
		free_all(&c);
		return r;
	}
	r = convert(&c, recover_only, ret);
	if (watch->ended)
		watch->ended(watch->arg);
	if (r < 0)
		tell_how_to_go_on(&c);
	r2 = dissolve(&c);
	if (r == 0 && *ret == ENGINE_FINISHED && r2 == 0)
		r2 = wipe_freed(v, &c.store.freed);
	log_debug("flushes: %" PRIu64 " of data, %" PRIu64 " of the header; longest freeze %" PRIu64
		  " us",
		  c.data_flushes, c.store.flushes, c.longest_freeze_usec);
	free_all(&c);
	return r < 0 ? r : r2;
}
