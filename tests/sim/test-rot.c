/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A header copy or a block of the resilience area that cannot be read any more, or not as it was
 * written, together with a power cut: what was there comes back, or the recovery ends with an
 * error. It never ends well with the wrong data.
 *
 * Of a copy that was bad before the start nothing is lost, as it is written anew first. On one disk
 * the primary may not rot later: see "With a detached header" in doc/design.md.
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
#include "explore.h"
#include "random.h"
#include "util/checked.h"

#define COPY LUKS_HEADER_MIN_SIZE

static uint64_t seed;
static bool full;

static const struct volume_kind kinds[] = {
	{"checksum", 512, 4096, "checksum", NULL, false, false, NULL},
	{"checksum-detached", 512, 512, "checksum", NULL, false, true, NULL},
	{"journal-detached", 512, 512, "journal", NULL, false, true, NULL},
	{"unwritten-detached", 512, 512, "checksum", NULL, false, true, "wzwzzzzzzzzzzwzwwwzzzzzw"},
	{"ahead", 512, 512, "ahead", NULL, false, false, NULL},
};

/* What rots; bytes. The area's place is known from the header. */
struct place {
	const char *name;
	uint64_t offset;
	size_t size;
	bool area;
	bool foreign; /* as garbage the primary looks like something of somebody else's */
};

static const struct place places[] = {
	{"the primary", 0, COPY, false, true},
	{"a sector of the primary's JSON", 8192, 512, false, false},
	{"the secondary", COPY, COPY, false, false},
	{"the secondary's binary header", COPY, 4096, false, false},
	{"a sector of the secondary's JSON", COPY + 8192, 512, false, false},
	{"a block of the area", 0, 512, true, false},
};

static uint64_t offset_of(const struct place *p, const struct run *r)
{
	return p->area ? r->reenc.area_offset : p->offset;
}

/* Garbage in the area is what the format has no checksum for. */
static bool draw_kind(const struct place *p, struct random *rnd)
{
	return p->area || random_below(rnd, 2);
}

static bool may_rot_later(const struct volume *v, const struct place *p)
{
	return v->kind->detached || p->area || p->offset >= COPY;
}

static struct exploration exploration_of(const struct volume *v)
{
	return (struct exploration){
		.volume = v,
		.hotzone_size = v->hotzone_size,
		.seed = seed,
		.all_subsets_up_to = full ? 4 : 1,
		.random_subsets = full ? 20 : USUALLY(2, 1),
		.torn = full ? 20 : USUALLY(2, 1),
		.event_one_in = full ? 1 : USUALLY(2, 7),
		.quiet = true,
	};
}

/* --- it was bad before the start --- */

static void start_with_rot(struct volume *v, const struct place *p, struct exploration *x)
{
	_cleanup_free_ uint8_t *image = malloc(v->size);
	enum engine_outcome outcome;
	struct run r;

	assert_non_null(image);
	memcpy(image, v->image, v->size);
	image_rot(image, p->offset, p->size);
	v->skip = v->kind->blocks ? SKIP_ALWAYS : SKIP_NEVER;
	*x = exploration_of(v);
	x->event_one_in = v->ignores_bad_copy ? 1 : x->event_one_in;
	x->torn = v->ignores_bad_copy ? 4 : x->torn;
	x->stop_at = v->ignores_bad_copy;
	assert_int_equal(run_open(&r, v, image, v->hotzone_size, NULL, seed), 0);
	v->ignores_bad_copy = false; /* recoveries do not */
	assert_int_equal(run_all(&r, &outcome), 0);
	explore(x, &r, 0);
	run_close(&r);
}

static void a_copy_that_was_bad_before_costs_nothing(void **state)
{
	struct volume *v = volume_new(*state, seed);
	unsigned states = 0;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		for (int error = 0; error < 2; error++) {
			const struct place *p = &places[i];
			struct exploration x;

			/* What may be somebody else's is refused, see tests/offline. */
			if (p->area || (p->foreign && !error))
				continue;
			v->rot_is_error = error;
			start_with_rot(v, p, &x);
			assert_int_equal(x.lost, 0);
			states += x.states;
		}
	printf("# %s: %u crash states after starts with a bad copy\n", v->kind->name, states);
	assert_true(states > USUALLY(100, 20));
	volume_free(v);
}

/* Test of the test: it goes to work without writing the bad copy anew. */
static void a_start_on_one_copy_is_noticed(void **state)
{
	struct volume *v = volume_new(*state, seed);
	const struct place p = {"the secondary's JSON", COPY + 8192, 512, false, false};
	struct exploration x;

	v->ignores_bad_copy = true;
	start_with_rot(v, &p, &x);
	assert_true(x.lost > 0);
	volume_free(v);
}

/* --- it goes bad meanwhile --- */

struct tally {
	unsigned runs, stopped, states, refused;
};

/* False once the run was over before. */
static bool rot_at(struct volume *v, const struct place *p, unsigned at, bool online,
		   struct tally *t)
{
	struct exploration x = exploration_of(v);
	enum engine_outcome outcome;
	struct application app;
	struct run r;
	bool more;

	application_init(&app, &r, seed + at);
	memcpy(app.plain, v->plain, v->data_size);
	x.is_right = application_accepts;
	x.is_right_arg = &app;
	x.may_refuse = true;
	x.events = full ? 0 : 20;
	assert_int_equal(
		run_open(&r, v, v->image, v->hotzone_size, online ? &app.freezer : NULL, seed), 0);
	medium_rot_at(r.medium, at, offset_of(p, &r), p->size);
	t->stopped += run_all(&r, &outcome) < 0;
	more = medium_events(r.medium) > at;
	if (more)
		explore(&x, &r, at);
	assert_int_equal(x.lost, 0);
	t->states += x.states;
	t->refused += x.refused;
	t->runs++;
	run_close(&r);
	application_done(&app);
	return more;
}

/* At each step; the run itself goes on, or ends with an error. */
static void rot_during_a_run_is_never_silent(void **state)
{
	struct volume *v = volume_new(*state, seed);
	struct random rnd = {.state = seed};
	const unsigned step = full ? 1 : USUALLY(17, 53);
	struct tally t = {0};

	v->skip = v->kind->blocks ? SKIP_ALWAYS : SKIP_NEVER;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const struct place *p = &places[i];
		unsigned at = (unsigned)random_below(&rnd, step);

		if (!may_rot_later(v, p))
			continue;
		do {
			v->rot_is_error = draw_kind(p, &rnd);
			at += step;
		} while (rot_at(v, p, at, random_below(&rnd, 2), &t));
	}
	printf("# %s: %u runs with rot, %u ended with an error; %u crash states, %u refused\n",
	       v->kind->name, t.runs, t.stopped, t.states, t.refused);
	assert_true(t.stopped > 0 && t.stopped < t.runs);
	/*
	 * Where the other copy was torn at the same time, and where the area was needed. The few
	 * states of the run with sanitizers need not have such a one.
	 */
	assert_true((t.refused > 0 || t.states < 50) && t.refused < t.states / 2);
	volume_free(v);
}

/* Rot and power cut at the same time, seen by the recovery only. */
static void rot_at_the_power_cut_is_never_silent(void **state)
{
	struct volume *v = volume_new(*state, seed);
	_cleanup_free_ uint8_t *image = malloc(v->size);
	struct random rnd = {.state = seed};
	unsigned refused = 0, states = 0;
	enum engine_outcome outcome;
	struct run r;

	assert_non_null(image);
	assert_int_equal(run_open(&r, v, v->image, v->hotzone_size, NULL, seed), 0);
	assert_int_equal(run_all(&r, &outcome), 0);
	for (unsigned event = 0; event < medium_events(r.medium); event += full ? 1 : 2)
		for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
			const struct place *p = &places[i];
			struct run after;
			int e;

			if (!may_rot_later(v, p))
				continue;
			v->rot_is_error = draw_kind(p, &rnd);
			medium_crash(r.medium, event,
				     random_below(&rnd, 2) ? CRASH_TORN : CRASH_DISKS,
				     random_next(&rnd), v->data_offset, 4096, image);
			image_rot(image, offset_of(p, &r), p->size);
			e = run_open(&after, v, image, v->hotzone_size, NULL, seed);
			if (e == 0 && after.engine)
				e = run_all(&after, &outcome);
			if (e == 0)
				assert_true(volume_check_finished(v, medium_content(after.medium),
								  v->plain));
			refused += e < 0;
			states++;
			run_close(&after);
		}
	printf("# %s: %u crash states with rot, %u refused\n", v->kind->name, states, refused);
	assert_true(refused > 0 && refused < states / 2);
	run_close(&r);
	volume_free(v);
}

int main(void)
{
	struct CMUnitTest tests[4 * ARRAY_SIZE(kinds)];
	size_t n = 0;

	seed = program_seed();
	full = getenv("SIM_FULL") != NULL;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		void *kind = (void *)(uintptr_t)&kinds[i];

		tests[n++] = (struct CMUnitTest){
			"bad before", a_copy_that_was_bad_before_costs_nothing, NULL, NULL, kind};
		tests[n++] = (struct CMUnitTest){"bad before, not repaired",
						 a_start_on_one_copy_is_noticed, NULL, NULL, kind};
		tests[n++] = (struct CMUnitTest){"during a run", rot_during_a_run_is_never_silent,
						 NULL, NULL, kind};
		tests[n++] = (struct CMUnitTest){
			"at the power cut", rot_at_the_power_cut_is_never_silent, NULL, NULL, kind};
	}
	return _cmocka_run_group_tests("rot", tests, n, NULL, NULL);
}
