/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "explore.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "util/checked.h"

static bool is_right(const struct exploration *x, const uint8_t *image, unsigned event)
{
	if (x->is_right)
		return x->is_right(x->is_right_arg, image, event);
	return volume_check_finished(x->volume, image, x->volume->plain);
}

/* Brings @image back and on to the end; with @again its own run is crashed at a random event. */
static bool survives(struct exploration *x, const uint8_t *image, unsigned event,
		     struct random *rnd, bool again)
{
	enum engine_outcome outcome;
	struct run r;
	bool ok = run_open(&r, x->volume, image, x->hotzone_size, NULL, random_next(rnd)) == 0;

	if (ok && r.engine)
		ok = run_all(&r, &outcome) == 0 && outcome == ENGINE_FINISHED;
	if (!ok && x->may_refuse) {
		x->refused++;
		run_close(&r);
		return true;
	}
	if (!ok)
		fprintf(stderr, "# recovery or conversion failed\n");
	if (ok)
		ok = is_right(x, medium_content(r.medium), event);
	if (ok && again && medium_events(r.medium) > 0) {
		_cleanup_free_ uint8_t *second = malloc(x->volume->size);
		const unsigned at = (unsigned)random_below(rnd, medium_events(r.medium) + 1);

		assert(second);
		medium_crash(r.medium, at, random_below(rnd, 2) ? CRASH_TORN : CRASH_SUBSET,
			     random_next(rnd), x->volume->data_offset, r.reenc.block_size, second);
		x->recrashed++;
		run_close(&r);
		return survives(x, second, event, rnd, random_below(rnd, 2));
	}
	run_close(&r);
	return ok;
}

/* Backward, cryptsetup's recovery is only right for hotzones of certain sizes. */
static bool suits_stock(const struct exploration *x, const uint8_t *image)
{
	struct run r;
	const bool suits = run_open(&r, x->volume, image, x->hotzone_size, NULL, 1) == 0 &&
			   (r.reenc.state != LUKS_REENC_HOT ||
			    luks_reenc_stock_safe(&r.reenc, r.reenc.boundary, r.reenc.hot_size));

	run_close(&r);
	return suits;
}

static bool survives_by_stock(struct exploration *x, const uint8_t *image, unsigned event)
{
	_cleanup_free_ uint8_t *copy = malloc(x->volume->size);

	assert(copy);
	memcpy(copy, image, x->volume->size);
	x->by_stock++;
	return volume_finish_by_stock(x->volume, copy) && is_right(x, copy, event);
}

static void try_state(struct exploration *x, struct run *r, unsigned event, enum crash_mode mode,
		      uint64_t choice, uint8_t *image)
{
	static const char *const names[] = {"subset", "disks", "torn"};
	struct random rnd = {.state = x->seed ^ choice ^ (uint64_t)event << 32};
	const uint64_t again = random_next(&rnd);
	bool ok;

	medium_crash(r->medium, event, mode, choice, x->volume->data_offset, r->reenc.block_size,
		     image);
	x->states++;
	ok = survives(x, image, event, &rnd, x->again_one_in && again % x->again_one_in == 0);
	if (ok && x->stock_one_in && x->states % x->stock_one_in == 1 && suits_stock(x, image))
		ok = survives_by_stock(x, image, event);
	if (ok)
		return;
	x->lost++;
	fprintf(stderr, "# lost: %s, seed %" PRIu64 ", event %u, %s %#" PRIx64 "\n",
		x->volume->kind->name, x->seed, event, names[mode], choice);
}

static void explore_event(struct exploration *x, struct run *r, unsigned event, uint8_t *image)
{
	const unsigned pending = medium_pending(r->medium, event);
	struct random rnd = {.state = x->seed + event};

	if (pending <= x->all_subsets_up_to) {
		for (uint64_t choice = 0; choice < UINT64_C(1) << pending; choice++)
			try_state(x, r, event, CRASH_SUBSET, choice, image);
	} else {
		try_state(x, r, event, CRASH_SUBSET, 0, image);
		try_state(x, r, event, CRASH_SUBSET, UINT64_MAX, image);
		for (unsigned i = 0; i < x->random_subsets; i++)
			try_state(x, r, event, i % 2 == 0 ? CRASH_SUBSET : CRASH_DISKS,
				  random_next(&rnd), image);
	}
	for (unsigned i = 0; i < x->torn && pending > 0; i++)
		try_state(x, r, event, CRASH_TORN, random_next(&rnd), image);
}

void explore(struct exploration *x, struct run *r, unsigned first_event)
{
	_cleanup_free_ uint8_t *image = malloc(x->volume->size);
	const unsigned n = x->events == 0 ? medium_events(r->medium)
					  : MIN(first_event + x->events, medium_events(r->medium));

	assert(image);
	for (unsigned event = first_event; event <= n; event += MAX(x->event_one_in, 1U)) {
		/* A completed write is as uncertain as a submitted one. */
		if (event > first_event &&
		    medium_event(r->medium, event - 1) == EVENT_COMPLETE_WRITE)
			continue;
		explore_event(x, r, event, image);
		if (x->stop_at && x->lost >= x->stop_at)
			break;
	}
	if (x->quiet)
		return;
	printf("# %s: seed %" PRIu64 ", %u events, %u crash states, %u crashed again, %u by "
	       "cryptsetup, %u refused, %u lost\n",
	       x->volume->kind->name, x->seed, n, x->states, x->recrashed, x->by_stock, x->refused,
	       x->lost);
}
