/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/checked.h"

#define CHECK(condition) volume_check(condition, __FILE__, __LINE__, #condition)

static bool stop(void *arg)
{
	const struct run *r = arg;

	return r->stop_after > 0 && r->hotzones >= r->stop_after;
}

static void progress(void *arg, const struct engine_progress *p)
{
	struct run *r = arg;

	(void)p;
	r->hotzones++;
	if (r->on_progress)
		r->on_progress(r->on_progress_arg);
}

static bool pause_due(void *arg, uint64_t converted)
{
	const struct run *r = arg;

	(void)converted;
	return r->on_pause;
}

static int make_pause(void *arg, uint64_t passed, struct engine_limits *limits)
{
	struct run *r = arg;
	const struct position p = engine_position(r->engine);
	const uint64_t converted =
		r->reenc.direction == LUKS_FORWARD ? p.boundary : r->reenc.data_size - p.boundary;

	CHECK(p.hotzone_size == 0 && (!r->on_pause || r->reenc.state == LUKS_REENC_CLEAN));
	CHECK(r->volume->holes != HOLES_HIDDEN ? passed <= converted : passed == converted);
	limits->hotzone_size = r->on_pause ? r->on_pause(r) : 0;
	limits->stall_target = r->stall_target;
	r->pauses++;
	return 0;
}

static int make_engine(struct run *r, uint64_t hotzone_size, struct freezer *freezer,
		       struct header_store *store)
{
	const struct volume *v = r->volume;
	const struct engine_config config = {
		.disk = medium_disk(r->medium),
		.disk_offset = r->reenc.data_offset,
		.size = r->reenc.data_size,
		.direction = r->reenc.direction == LUKS_FORWARD ? ENGINE_FORWARD : ENGINE_BACKWARD,
		.resilience = r->reenc.resilience == LUKS_RESILIENCE_JOURNAL ? ENGINE_JOURNAL
									     : ENGINE_CHECKSUM,
		.old_side.cipher = volume_cipher(v, &r->reenc.old_side),
		.new_side.cipher = volume_cipher(v, &r->reenc.new_side),
		.checksum = v->checksum,
		.block_size = r->reenc.block_size,
		.hotzone_size = hotzone_size,
		.skip_unwritten = r->skip,
		.verify = v->verify,
		.never_ahead = v->never_ahead,
		.header = store,
		.freezer = freezer,
		.pool = v->pool,
		.header_lane = v->header_lane,
		.stop = stop,
		.pause_due = pause_due,
		.pause = make_pause,
		.progress = progress,
		.callback_arg = r,
	};

	return engine_new(&config, &r->engine);
}

static int verify_digest(const struct run *r)
{
	const struct volume *v = r->volume;
	const bool turned = r->reenc.old_side.digest != 0 && !v->kind->keep_key;
	const struct luks_reenc_keys keys = {
		.old_key = v->key[turned ? 1 : 0],
		.new_key = v->key[turned ? 0 : 1],
	};

	return luks_reenc_digest_verify(r->header, &r->reenc, &keys);
}

/* As the worker does: a bad copy is written anew, and durable, before anything else is written. */
static int read_header(struct run *r, struct luks_reason *why)
{
	struct meta_io *io = medium_meta_io(r->medium);
	int x = luks_header_read(io, &r->header, why);

	if (x < 0 || !luks_header_needs_repair(r->header))
		return x;
	if (!r->volume->ignores_bad_copy)
		return luks_header_repair(r->header, io);
	r->header->bad[LUKS_PRIMARY] = r->header->bad[LUKS_SECONDARY] = false;
	return 0;
}

int run_open(struct run *r, const struct volume *v, const uint8_t *image, uint64_t hotzone_size,
	     struct freezer *freezer, uint64_t seed)
{
	struct medium *m = medium_new(image, v->size, 512, seed);

	if (v->kind->detached)
		medium_detach_header(m, v->data_offset);
	return run_open_on(r, v, m, hotzone_size, freezer, seed);
}

int run_open_on(struct run *r, const struct volume *v, struct medium *m, uint64_t hotzone_size,
		struct freezer *freezer, uint64_t seed)
{
	struct meta_io *io = medium_meta_io(m);
	struct luks_reason why = {};
	int x;

	*r = (struct run){
		.volume = v, .medium = m, .hotzone_size = hotzone_size, .freezer = freezer};
	r->skip = v->skip == SKIP_ALWAYS || (v->skip == SKIP_DRAWN && seed % 2 == 0);
	medium_show_holes(m, v->holes);
	medium_rot_is_error(m, v->rot_is_error);
	if (v->transfer_size > 0)
		medium_disk(m)->transfer_size = v->transfer_size;
	x = read_header(r, &why);
	if (x == 0)
		x = luks_reenc_load(r->header, v->size, 0, 512, &r->reenc, &why);
	if (x == 0 && r->reenc.state == LUKS_REENC_FINISH) {
		/* cryptsetup would take it for "nothing done": nobody may ever see it. */
		(void)snprintf(why.text, sizeof(why.text), "the state that must never be written");
		x = -EUCLEAN;
	}
	if (x == 0 && r->reenc.state != LUKS_REENC_NONE) {
		x = verify_digest(r);
		luks_store_init(&r->store, io, r->header, &r->reenc, -1, !v->kind->detached);
		if (x == 0)
			x = make_engine(r, hotzone_size, freezer, &r->store.store);
	}
	if (x < 0)
		fprintf(stderr, "# cannot open: %s: %s\n", strerrordesc_np(-x), why.text);
	return x;
}

void run_set_header_store(struct run *r, struct header_store *store)
{
	r->engine = engine_free(r->engine);
	CHECK(make_engine(r, r->hotzone_size, r->freezer, store) == 0);
}

void run_close(struct run *r)
{
	r->engine = engine_free(r->engine);
	r->header = luks_header_free(r->header);
	r->medium = medium_free(r->medium);
}

int run_all(struct run *r, enum engine_outcome *ret)
{
	struct position p = {r->reenc.boundary, r->reenc.hot_size};

	if (r->reenc.state == LUKS_REENC_HOT) {
		int x = r->thawed ? engine_recover_thawed(r->engine, &p)
				  : engine_recover(r->engine, &p);

		if (x < 0)
			return x;
		p = engine_position(r->engine);
		if (r->reenc.state == LUKS_REENC_NONE) {
			*ret = ENGINE_FINISHED;
			return 0;
		}
	}
	return engine_run(r->engine, &p, ret);
}

int run_reverse(struct run *r, uint64_t hotzone_size)
{
	const struct luks_reenc_keys keys = {r->volume->key[0], r->volume->key[1]};
	struct luks_reason why = {};
	int x = luks_reenc_reverse(r->header, &r->reenc, &keys, hotzone_size);

	if (x == 0)
		x = luks_header_commit(r->header, medium_meta_io(r->medium), &why);
	if (x == 0)
		x = luks_header_flush(r->header, medium_meta_io(r->medium));
	if (x < 0)
		fprintf(stderr, "# cannot turn around: %s: %s\n", strerrordesc_np(-x), why.text);
	return x;
}

uint8_t *volume_decrypt_finished(const struct volume *v, const uint8_t *image)
{
	_cleanup_free_ uint8_t *data = malloc(v->data_size);
	struct run r;
	int x;

	CHECK(data);
	x = run_open(&r, v, image, 16384, NULL, 1);
	if (x == 0 && r.reenc.state != LUKS_REENC_NONE)
		x = -EBUSY;
	if (x < 0)
		fprintf(stderr, "# the header does not say that all is finished\n");
	else {
		memcpy(data, image + v->data_offset, v->data_size);
		CHECK(cipher_decrypt(volume_cipher(v, &r.reenc.new_side), 0, 0, data,
				     v->data_size) == 0);
	}
	run_close(&r);
	return x < 0 ? NULL : TAKE_PTR(data);
}

bool volume_check_finished(const struct volume *v, const uint8_t *image, const uint8_t *plain)
{
	_cleanup_free_ uint8_t *data = volume_decrypt_finished(v, image);

	if (!data)
		return false;
	for (uint64_t i = 0; i < v->data_size; i += SECTOR_SIZE)
		if (memcmp(data + i, plain + i, SECTOR_SIZE) != 0 &&
		    (memcmp(plain + i, v->plain + i, SECTOR_SIZE) != 0 ||
		     !volume_accepts_untouched(v, i, data + i))) {
			fprintf(stderr, "# wrong data at offset %" PRIu64 "\n", i);
			return false;
		}
	return true;
}
