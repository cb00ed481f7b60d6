/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "application.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ahead.h"
#include "random.h"
#include "util/checked.h"

#define BLOCK UINT64_C(4096)

struct app_write {
	unsigned submitted; /* the event count of the medium then */
	unsigned flushed;   /* event of the end of the first flush after it; 0: never */
	uint64_t offset;
	uint8_t data[BLOCK];
};

static struct application *of(struct freezer *f)
{
	return (struct application *)((char *)f - offsetof(struct application, freezer));
}

static bool is_new_side(const struct application *a, uint64_t offset)
{
	const bool forward = a->run->reenc.direction == LUKS_FORWARD;

	return forward ? offset < a->routing.boundary : offset >= a->routing.boundary;
}

/* In place; the edge may go through the block when the encryption sectors are smaller. */
static void encrypt_block(const struct application *a, uint64_t offset, uint8_t *data)
{
	const struct luks_reenc *r = &a->run->reenc;

	for (uint64_t at = 0; at < BLOCK;) {
		const struct luks_side *side =
			is_new_side(a, offset + at) ? &r->new_side : &r->old_side;

		if (cipher_encrypt(volume_cipher(a->run->volume, side), 0,
				   (offset + at) >> SECTOR_SHIFT, data + at, side->sector_size) < 0)
			abort();
		at += side->sector_size;
	}
}

static void write_block(struct application *a, uint64_t offset, struct random *rnd)
{
	struct medium *m = a->run->medium;
	struct app_write *w;
	uint8_t raw[BLOCK];

	a->writes = realloc(a->writes, (a->n_writes + 1) * sizeof(*a->writes));
	assert(a->writes);
	w = &a->writes[a->n_writes++];
	w->flushed = 0;
	w->offset = offset;
	for (size_t i = 0; i < BLOCK; i += 8) {
		const uint64_t word = random_next(rnd);

		memcpy(w->data + i, &word, 8);
	}
	memcpy(a->plain + offset, w->data, BLOCK);
	memcpy(raw, w->data, BLOCK);
	encrypt_block(a, offset, raw);
	w->submitted = medium_events(m);
	medium_write(m, a->run->reenc.data_offset + offset, raw, BLOCK);
}

static void flush(struct application *a)
{
	medium_flush(a->run->medium);
	for (unsigned i = 0; i < a->n_writes; i++)
		if (a->writes[i].flushed == 0)
			a->writes[i].flushed = medium_events(a->run->medium);
}

static bool is_frozen(const struct application *a, uint64_t offset)
{
	return (a->frozen || a->failed) && offset < a->frozen_offset + a->routing.hotzone_size &&
	       offset + BLOCK > a->frozen_offset;
}

void application_work(struct application *a)
{
	struct random rnd = {.state = a->seed++};

	for (unsigned n = 0; n < 3 && !a->late; n++) {
		const uint64_t offset = random_below(&rnd, a->run->reenc.data_size / BLOCK) * BLOCK;

		if (!is_frozen(a, offset))
			write_block(a, offset, &rnd);
		if (a->flush_one_in > 0 && random_below(&rnd, a->flush_one_in) == 0)
			flush(a);
	}
}

static int app_freeze(struct freezer *f, uint64_t offset, uint64_t size)
{
	struct application *a = of(f);

	if (a->frozen)
		a->violations++;
	application_work(a);
	if (a->late && a->freezes % 3 == 2) {
		struct random rnd = {.state = a->seed++};

		write_block(a, offset + random_below(&rnd, size / BLOCK) * BLOCK, &rnd);
		flush(a);
	}
	a->frozen = true;
	a->frozen_offset = offset;
	a->routing.hotzone_size = size;
	a->freezes++;
	application_work(a);
	return 0;
}

/* Does @image have what the application sees of [@offset, @offset + @size), by the new key? */
static bool has_new_data(const struct application *a, const uint8_t *image, uint64_t offset,
			 uint64_t size)
{
	const struct luks_reenc *r = &a->run->reenc;
	struct cipher *cipher = volume_cipher(a->run->volume, &r->new_side);
	_cleanup_free_ uint8_t *data = malloc(size);

	assert(data);
	memcpy(data, image + r->data_offset + offset, size);
	if (cipher_decrypt(cipher, 0, offset >> SECTOR_SHIFT, data, (uint32_t)size) < 0)
		abort();
	for (uint64_t at = 0; at < size; at += SECTOR_SIZE)
		if (memcmp(data + at, a->plain + offset + at, SECTOR_SIZE) != 0 &&
		    !volume_accepts_untouched(a->run->volume, offset + at, data + at))
			return false;
	return true;
}

/*
 * What a crash leaves is hot: may the hotzone be let go all the same? Where another range is let go
 * as it was, the hot one has been let go before, and the application has written there.
 */
static bool is_done_though_hot(const struct application *a, const struct luks_reenc *found,
			       const uint8_t *image, uint64_t boundary)
{
	const bool forward = found->direction == LUKS_FORWARD;
	const uint64_t offset = forward ? found->boundary : boundary;

	return found->resilience == LUKS_RESILIENCE_CHECKSUM &&
	       boundary == (forward ? found->boundary + found->hot_size
				    : found->boundary - found->hot_size) &&
	       (a->frozen_offset != offset || has_new_data(a, image, offset, found->hot_size));
}

/*
 * The range may only be let go where a crash right now, with nothing of the cache saved, leaves a
 * header that is clean at this very boundary, or hot up to it with all data new.
 */
static bool may_thaw(const struct application *a, const struct luks_reenc *found,
		     const uint8_t *image, uint64_t boundary)
{
	const bool forward = a->run->reenc.direction == LUKS_FORWARD;

	switch (found->state) {
	case LUKS_REENC_NONE:
		return boundary == (forward ? a->run->volume->data_size : 0);
	case LUKS_REENC_CLEAN:
		return boundary == found->boundary;
	case LUKS_REENC_HOT:
		return is_done_though_hot(a, found, image, boundary);
	case LUKS_REENC_FINISH:
		break;
	}
	return false;
}

static void check_thaw(struct application *a, const struct position *now)
{
	const struct volume *v = a->run->volume;
	_cleanup_free_ uint8_t *image = malloc(v->size), *found = malloc(v->size);
	struct run r;

	assert(image && found);
	medium_crash(a->run->medium, medium_events(a->run->medium), CRASH_SUBSET, 0, v->data_offset,
		     4096, image);
	memcpy(found, image, v->size);
	if (run_open(&r, v, image, 16384, NULL, 1) < 0 ||
	    !may_thaw(a, &r.reenc, found, now->boundary))
		a->violations++;
	run_close(&r);
}

static int app_thaw(struct freezer *f, const struct position *now)
{
	struct application *a = of(f);

	if (!a->frozen || now->hotzone_size > 0)
		a->violations++;
	check_thaw(a, now);
	a->frozen = false;
	a->routing = *now;
	/* What waited in the range comes first. */
	application_work(a);
	assert(a->thaws < APPLICATION_THAWS);
	a->thawed[a->thaws++] = medium_events(a->run->medium);
	return 0;
}

static int app_fail(struct freezer *f)
{
	struct application *a = of(f);

	if (!a->frozen)
		a->violations++;
	a->frozen = false;
	a->failed = true;
	return 0;
}

void application_init(struct application *a, struct run *r, uint64_t seed)
{
	static const struct freezer_ops ops = {
		.freeze = app_freeze,
		.thaw = app_thaw,
		.fail = app_fail,
	};

	*a = (struct application){
		.freezer = {.ops = &ops}, .run = r, .seed = seed, .flush_one_in = 3};
	a->plain = malloc(AHEAD_DATA_SIZE);
	assert(a->plain);
}

void application_done(struct application *a)
{
	free(a->writes);
	free(a->plain);
}

/* Sector by sector, since the disk may tear a block. */
static bool accepts_sector(const struct application *a, const uint8_t *found, uint64_t offset,
			   unsigned event)
{
	bool ok = volume_accepts_untouched(a->run->volume, offset, found);

	for (unsigned i = 0; i < a->n_writes; i++) {
		const struct app_write *w = &a->writes[i];

		if (!range_inside(offset - w->offset, SECTOR_SIZE, BLOCK) || w->submitted >= event)
			continue;
		if (w->flushed > 0 && w->flushed <= event)
			ok = false; /* nothing older may come back */
		ok = ok || memcmp(found, w->data + (offset - w->offset), SECTOR_SIZE) == 0;
	}
	return ok;
}

bool application_accepts(void *arg, const uint8_t *image, unsigned event)
{
	const struct application *a = arg;
	_cleanup_free_ uint8_t *data = volume_decrypt_finished(a->run->volume, image);

	if (!data)
		return false;
	for (uint64_t offset = 0; offset < a->run->volume->data_size; offset += SECTOR_SIZE)
		if (!accepts_sector(a, data + offset, offset, event)) {
			fprintf(stderr, "# wrong sector at offset %" PRIu64 "\n", offset);
			return false;
		}
	return true;
}
