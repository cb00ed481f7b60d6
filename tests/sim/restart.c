/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "restart.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "luks/header-disk.h"
#include "random.h"

/* The bytes of copy @to, made of the good one, as crypt_load() makes them: a new salt, else equal.
 */
static uint8_t *copy_of(struct meta_io *io, const struct luks_header *h, enum luks_copy to)
{
	uint8_t *data = aligned_alloc(4096, h->size);
	struct luks_header_disk *d = (struct luks_header_disk *)data;

	if (!data || meta_io_read(io, to == LUKS_PRIMARY ? h->size : 0, data, h->size) < 0)
		abort();
	memcpy(d->magic, luks_magic[to], sizeof(d->magic));
	memcpy(d->salt, h->salt[to], sizeof(d->salt));
	d->offset = htobe64(to == LUKS_PRIMARY ? 0 : h->size);
	memset(d->checksum, 0, sizeof(d->checksum));
	return data;
}

/* Its own writes and, unless it dies before, its flush behind them: as strace shows them. */
static void load_by_stock(struct medium *m, bool dies)
{
	struct meta_io *io = medium_meta_io(m);
	_cleanup_(luks_header_freep) struct luks_header *h = NULL;
	_cleanup_free_ uint8_t *data = NULL;
	struct luks_header_disk *d;
	enum luks_copy to;
	uint64_t at;

	if (luks_header_read(io, &h, NULL) < 0 || !luks_header_needs_repair(h) ||
	    h->primary_foreign)
		return;
	to = h->bad[LUKS_PRIMARY] ? LUKS_PRIMARY : LUKS_SECONDARY;
	at = to == LUKS_PRIMARY ? 0 : h->size;
	data = copy_of(io, h, to);
	d = (struct luks_header_disk *)data;
	(void)meta_io_write(io, at, data, LUKS_HEADER_BINARY_SIZE);
	(void)meta_io_write(io, at + LUKS_HEADER_BINARY_SIZE, data + LUKS_HEADER_BINARY_SIZE,
			    h->size - LUKS_HEADER_BINARY_SIZE);
	(void)luks_header_checksum("sha256", data, h->size, d->checksum);
	(void)meta_io_write(io, at, data, LUKS_HEADER_BINARY_SIZE);
	if (!dies)
		(void)meta_io_flush(io);
}

/* As the worker: a cancel is a commit, and then a run in the other direction. */
static int turn_around(struct run *r, uint64_t seed)
{
	struct medium *m = r->medium;
	const uint64_t hotzone = r->hotzone_size;
	const struct volume *v = r->volume;
	int x = run_reverse(r, hotzone);

	if (x < 0)
		return x;
	r->medium = NULL;
	run_close(r);
	return run_open_on(r, v, m, hotzone, NULL, seed);
}

static int work(struct run *r, enum program program, uint64_t seed)
{
	enum engine_outcome outcome;
	struct position p = {r->reenc.boundary, r->reenc.hot_size};
	int x = 0;

	if (!r->engine)
		return 0;
	if (program == PROGRAM_REENCRYPT)
		return run_all(r, &outcome);
	if (r->reenc.state == LUKS_REENC_HOT)
		x = engine_recover(r->engine, &p);
	/* With nothing converted a cancel is the end. */
	if (x < 0 || program == PROGRAM_RECOVER || r->reenc.state == LUKS_REENC_NONE ||
	    r->reenc.direction == LUKS_BACKWARD || r->reenc.boundary == 0)
		return x;
	x = turn_around(r, seed);
	return x < 0 ? x : run_all(r, &outcome);
}

static unsigned first_write(const struct medium *m, unsigned from)
{
	while (from < medium_events(m) && medium_event(m, from) != EVENT_SUBMIT_WRITE)
		from++;
	return from;
}

int restart(struct run *ret, const struct run *killed, unsigned event, const struct restart *how,
	    uint64_t seed, unsigned *ret_written)
{
	struct medium *m = medium_kill(killed->medium, event, seed);
	unsigned start;
	int x;

	medium_rot_is_error(m, killed->volume->rot_is_error);
	if (how->other_loads)
		load_by_stock(m, true);
	start = medium_events(m);
	if (how->flushes)
		medium_flush_header(m);
	if (how->loads)
		load_by_stock(m, false);
	if (how->drop_flushes)
		medium_drop_flushes_before_write(m);
	x = run_open_on(ret, killed->volume, m, killed->hotzone_size, NULL, seed);
	if (x == 0)
		x = work(ret, how->program, seed);
	*ret_written = first_write(ret->medium, start);
	return x;
}

static void restart_at(struct restarts *x, const struct run *killed, unsigned event)
{
	struct random rnd = {.state = x->seed + event};
	struct exploration e = {
		.volume = x->volume,
		.hotzone_size = x->hotzone_size,
		.seed = x->seed + event,
		.all_subsets_up_to = 1,
		.random_subsets = 2,
		.torn = 3,
		.again_one_in = 8,
		.events = x->events,
		.stop_at = x->stop_at,
		.quiet = true,
	};
	struct restart how = x->how;
	struct run r;
	unsigned written;

	how.program = x->kills++ % PROGRAMS;
	if (restart(&r, killed, event, &how, random_next(&rnd), &written) < 0) {
		fprintf(stderr, "# program %d fails after a kill at event %u\n", how.program,
			event);
		e.lost++;
	} else if (written < medium_events(r.medium)) {
		explore(&e, &r, written); /* what writes nothing loses nothing */
	}
	run_close(&r);
	x->states += e.states;
	x->lost += e.lost;
}

void restart_everywhere(struct restarts *x)
{
	const uint64_t copies = 2 * LUKS_HEADER_MIN_SIZE;
	struct random rnd = {.state = x->seed};
	unsigned n = (unsigned)random_below(&rnd, x->one_in);
	enum engine_outcome outcome;
	struct run killed;

	if (run_open(&killed, x->volume, x->volume->image, x->hotzone_size, NULL, x->seed) < 0 ||
	    run_all(&killed, &outcome) < 0)
		abort();
	for (unsigned event = 0; event < medium_events(killed.medium); event++) {
		if (medium_event_offset(killed.medium, event) >= copies || n++ % x->one_in != 0)
			continue;
		restart_at(x, &killed, event + 1);
		if (x->stop_at && x->lost >= x->stop_at)
			break;
	}
	run_close(&killed);
	printf("# %s: seed %" PRIu64 ", %u kills, %u crash states after restarts, %u lost\n",
	       x->volume->kind->name, x->seed, x->kills, x->states, x->lost);
}
