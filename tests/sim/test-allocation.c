/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Each allocation of a run fails once, from the load of the header on. The run ends with an error
 * or well; no range stays frozen, and what is left is brought to the end. While a range is frozen
 * our own code allocates nothing at all.
 *
 * json-c and OpenSSL do, a little for each commit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "application.h"
#include "failing-memory.h"
#include "random.h"
#include "util/checked.h"

#define HOTZONE UINT64_C(16384)

static uint64_t seed;
static bool full;

static const struct volume_kind kinds[] = {
	{"checksum", 512, 4096, "checksum", NULL, false, false, NULL},
	{"journal", 512, 512, "journal", NULL, false, false, NULL},
	{"checksum-detached", 512, 512, "checksum", NULL, false, true, NULL},
};

/* --- the simulated world, whose own memory does not fail --- */

static struct {
	const struct disk_ops *disk;
	const struct meta_io_ops *meta;
	const struct freezer_ops *freezer;
} real;

#define IN_WORLD(type, call)                                                                       \
	({                                                                                         \
		type result;                                                                       \
                                                                                                   \
		memory_pause();                                                                    \
		result = call;                                                                     \
		memory_resume();                                                                   \
		result;                                                                            \
	})

static int world_submit(struct disk *d, struct disk_request *rq)
{
	return IN_WORLD(int, real.disk->submit(d, rq));
}

static int world_wait(struct disk *d, struct disk_request **ret)
{
	return IN_WORLD(int, real.disk->wait(d, ret));
}

static void world_wake(struct disk *d)
{
	real.disk->wake(d);
}

static int world_read(struct meta_io *io, uint64_t offset, void *buf, size_t size)
{
	return IN_WORLD(int, real.meta->read(io, offset, buf, size));
}

static int world_write(struct meta_io *io, uint64_t offset, const void *buf, size_t size)
{
	return IN_WORLD(int, real.meta->write(io, offset, buf, size));
}

static int world_flush(struct meta_io *io)
{
	return IN_WORLD(int, real.meta->flush(io));
}

static int world_freeze(struct freezer *f, uint64_t offset, uint64_t size)
{
	const int r = IN_WORLD(int, real.freezer->freeze(f, offset, size));

	memory_watch(r == 0);
	return r;
}

static int world_thaw(struct freezer *f, const struct position *now)
{
	memory_watch(false);
	return IN_WORLD(int, real.freezer->thaw(f, now));
}

static int world_fail(struct freezer *f)
{
	memory_watch(false);
	return IN_WORLD(int, (real.freezer->fail)(f)); /* fail() is a macro of cmocka */
}

/* Opening the run gives the disk its own. */
static void wrap_disk(struct run *r)
{
	static const struct disk_ops disk_ops = {
		.submit = world_submit, .wait = world_wait, .wake = world_wake};

	real.disk = medium_disk(r->medium)->ops;
	medium_disk(r->medium)->ops = &disk_ops;
}

static struct medium *new_world(const struct volume *v, struct application *app)
{
	static const struct meta_io_ops meta_ops = {
		.read = world_read, .write = world_write, .flush = world_flush};
	static const struct freezer_ops freezer_ops = {
		.freeze = world_freeze, .thaw = world_thaw, .fail = world_fail};
	struct medium *m = medium_new(v->image, v->size, 512, seed);

	if (v->kind->detached)
		medium_detach_header(m, v->data_offset);
	real.meta = medium_meta_io(m)->ops;
	real.freezer = app->freezer.ops;
	medium_meta_io(m)->ops = &meta_ops;
	app->freezer.ops = &freezer_ops;
	return m;
}

/* --- */

static bool ends_well(const struct volume *v, const struct run *r, const struct application *app)
{
	enum engine_outcome outcome;
	struct run after;
	bool ok = run_open(&after, v, medium_content(r->medium), HOTZONE, NULL, seed) == 0;

	if (ok && after.engine)
		ok = run_all(&after, &outcome) == 0 && outcome == ENGINE_FINISHED;
	ok = ok && volume_check_finished(v, medium_content(after.medium), app->plain);
	run_close(&after);
	return ok;
}

/* False where there are fewer than @n allocations. */
static bool survives_failure(const struct volume *v, unsigned n, bool online, unsigned *stopped)
{
	struct application app;
	enum engine_outcome outcome;
	struct medium *m;
	struct run r;
	bool failed;
	int x;

	application_init(&app, &r, seed);
	memcpy(app.plain, v->plain, v->data_size);
	m = new_world(v, &app);
	memory_begin(n);
	x = run_open_on(&r, v, m, HOTZONE, online ? &app.freezer : NULL, seed);
	wrap_disk(&r);
	memory_fail_libraries();
	if (x == 0)
		x = run_all(&r, &outcome);
	failed = memory_end();
	*stopped += x < 0;
	assert_false(app.frozen);
	assert_int_equal(app.violations, 0);
	assert_true(failed || x == 0);
	assert_true(ends_well(v, &r, &app));
	run_close(&r);
	application_done(&app);
	return failed;
}

static void any_allocation_may_fail(void **state)
{
	struct volume *v = volume_new(*state, seed);
	struct random rnd = {.state = seed};

	for (int online = 0; online < 2; online++) {
		unsigned n = 0, runs = 0, stopped = 0;

		while (survives_failure(v, n, online, &stopped)) {
			n += full ? 1 : 1 + (unsigned)random_below(&rnd, 80);
			runs++;
		}
		printf("# %s, %s: %u allocations at most, %u of them failed, %u runs stopped\n",
		       v->kind->name, online ? "online" : "offline", n, runs, stopped);
		assert_true(stopped > 10);
	}
	assert_int_equal(memory_watched(), 0);
	volume_free(v);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(kinds)];

	seed = program_seed();
	full = getenv("SIM_FULL") != NULL;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		tests[i] = (struct CMUnitTest){kinds[i].name, any_allocation_may_fail, NULL, NULL,
					       (void *)(uintptr_t)&kinds[i]};
#ifdef __SANITIZE_ADDRESS__
	(void)puts("the sanitizer has an allocator of its own, which cannot be made to fail");
	return 77;
#endif
	return _cmocka_run_group_tests("allocation", tests, ARRAY_SIZE(tests), NULL, NULL);
}
