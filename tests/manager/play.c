/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "play.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "host.h"
#include "loop.h"
#include "../sim/random.h"
#include "util/checked.h"
#include "util/cleanup.h"

/* What has not come to rest after so many events never does. A scenario of years has many. */
#define EVENTS_MAX 60000
/* Entries of the list of what may come next. */
#define NEXT_MAX (6 * WORKERS_MAX)
/* Microseconds without an answer that count as no answer. */
#define HANGS_USEC UINT64_C(1000000)
/* How often people help before the scenario counts as stuck. */
#define HELP_MAX 12

enum event_kind {
	EVENT_TURN,
	EVENT_HEAR,
	EVENT_INPUT,
	EVENT_READ,
	EVENT_HEAR_DEATH,
	EVENT_REPLACE, /* the manager has ended by itself */
	EVENT_CALL,
	EVENT_WORK,
	EVENT_TIME,
	EVENT_KILL_WORKER,
	EVENT_KILL_MANAGER,
	EVENT_POWER,
	EVENT_REST, /* nothing happens any more */
};

struct event {
	enum event_kind kind;
	struct worker_link *link;
	struct worker *worker;
};

struct deviation {
	unsigned at, choice;
};

#define DEVIATIONS_MAX 4

struct order {
	struct deviation deviation[DEVIATIONS_MAX];
	unsigned n;
	struct random *random; /* NULL: only the deviations */
	/* What the last play of it has seen. */
	unsigned n_events, kills;
	uint16_t choices[EVENTS_MAX]; /* at each event */
};

static bool is_traced;

/* So that an order that fails can be played again, with all that happens in it. */
static const struct order *playing;
static const struct scenario *played;
static uint64_t playing_seed;

/* --- what may come next --- */

struct next {
	struct event event[NEXT_MAX];
	unsigned n;
	unsigned n_usual; /* the first of these comes by itself; the rest only as a deviation */
};

static void add(struct next *x, struct event e)
{
	assert(x->n < NEXT_MAX);
	x->event[x->n++] = e;
}

static void add_manager(struct next *x)
{
	if (loop_turn_is_due(host.event))
		add(x, (struct event){.kind = EVENT_TURN});
	/* Those that were connected first are heard first. */
	for (unsigned i = 0; i < world.n_workers; i++) {
		struct worker_link *l = world.worker[i].link;

		if (l && link_can_hear(l))
			add(x, (struct event){.kind = EVENT_HEAR, .link = l});
	}
	if (loop_has_input(host.event))
		add(x, (struct event){.kind = EVENT_INPUT});
	if (host.stopped)
		add(x, (struct event){.kind = EVENT_REPLACE});
}

static void add_workers(struct next *x)
{
	for (unsigned i = 0; i < world.n_workers; i++)
		if (worker_can_read(&world.worker[i]))
			add(x, (struct event){.kind = EVENT_READ, .worker = &world.worker[i]});
	for (unsigned i = 0; i < world.n_workers; i++)
		if (world.worker[i].link && link_can_hear_death(world.worker[i].link))
			add(x,
			    (struct event){.kind = EVENT_HEAR_DEATH, .link = world.worker[i].link});
}

static void add_work(struct next *x)
{
	for (unsigned i = 0; i < world.n_workers; i++)
		if (worker_can_work(&world.worker[i]))
			add(x, (struct event){.kind = EVENT_WORK, .worker = &world.worker[i]});
}

static void add_kills(struct next *x)
{
	for (unsigned i = 0; i < world.n_workers; i++)
		if (world.worker[i].alive)
			add(x,
			    (struct event){.kind = EVENT_KILL_WORKER, .worker = &world.worker[i]});
	add(x, (struct event){.kind = EVENT_KILL_MANAGER});
	add(x, (struct event){.kind = EVENT_POWER});
}

/* Does the next call come now in the usual order, though other things are left to happen? */
static bool call_is_due(void)
{
	const struct op *op = &host.scenario->ops[host.n_issued];
	const struct header *h = &world.disk[op->disk].header;

	return op->when != AT_REST && h->state != REENCRYPTION_NONE && !h->backward &&
	       AFTER(h->done) >= op->when;
}

static void list_next(struct next *x, const struct order *o)
{
	const struct event call = {.kind = EVENT_CALL}, time = {.kind = EVENT_TIME};
	const bool has_call = host.n_issued < host.scenario->n_ops && !host.stopped;
	const bool due = has_call && call_is_due();

	x->n = 0;
	add_manager(x);
	add_workers(x);
	if (due)
		add(x, call);
	add_work(x);
	if (has_call && !due)
		add(x, call);
	if (loop_has_timer(host.event))
		add(x, time);
	if (x->n == 0)
		add(x, (struct event){.kind = EVENT_REST});
	x->n_usual = x->n;
	if (o->kills < host.scenario->kills)
		add_kills(x);
}

static const char *event_name(enum event_kind kind)
{
	static const char *const names[] = {
		[EVENT_TURN] = "turn",
		[EVENT_HEAR] = "hear",
		[EVENT_INPUT] = "input",
		[EVENT_READ] = "worker reads",
		[EVENT_HEAR_DEATH] = "hear of death",
		[EVENT_REPLACE] = "next manager",
		[EVENT_CALL] = "call",
		[EVENT_WORK] = "worker works",
		[EVENT_TIME] = "time",
		[EVENT_KILL_WORKER] = "KILL worker",
		[EVENT_KILL_MANAGER] = "KILL manager",
		[EVENT_POWER] = "POWER fails",
		[EVENT_REST] = "rest",
	};

	return names[kind];
}

static void trace(const struct order *o, const struct event *e)
{
	const struct worker *w = e->link ? e->link->worker : e->worker;

	if (!is_traced)
		return;
	printf("%4u %s", o->n_events, event_name(e->kind));
	if (w)
		printf(" %u of %s (job %d at %u%s%s)", w->number, w->disk->path, w->job, w->at,
		       w->keys ? ", keys" : "", store_has_worker(w) ? ", stored" : "");
	if (w && e->kind == EVENT_HEAR)
		printf(": message %d, job %d, error %d", w->outbox[0].kind, w->outbox[0].end.job,
		       w->outbox[0].end.error);
	if (w && e->kind == EVENT_READ)
		printf(": call %d, job %d, %d", w->inbox[0].kind, w->inbox[0].job,
		       w->inbox[0].call);
	if (e->kind == EVENT_CALL)
		printf(" %d", host.scenario->ops[host.n_issued].kind);
	printf("\n");
	(void)fflush(stdout);
}

static void trace_volumes(void)
{
	if (!is_traced)
		return;
	for (const struct volume *v = host.manager->volumes; v; v = v->next) {
		const struct header *h = &world_disk(v->uuid)->header;

		printf("       %s: %s, %s%s; at work %d; header %d %s%u/%u%s, token %s\n",
		       v->place.device, volume_state_name(v->status.state), v->status.reason,
		       keys_are_held(&v->keys) ? ", keys" : "", v->worker.job, h->state,
		       h->backward ? "back " : "", h->done, HOTZONES, h->stacked ? " stacked" : "",
		       h->token);
	}
}

/* With work left to do, or something left to be heard, this is a disk or a CPU that hangs. */
static void pass_time(void)
{
	const uint64_t before = loop_elapsed();
	bool busy = loop_turn_is_due(host.event);

	for (unsigned i = 0; i < world.n_workers; i++) {
		struct worker *w = &world.worker[i];

		/* A control thread waits for no disk. */
		while (worker_can_read(w))
			worker_read(w);
		busy = busy || worker_can_work(w) ||
		       (w->link && (link_can_hear(w->link) || link_can_hear_death(w->link)));
	}
	loop_pass_time(host.event);
	world.hung = world.hung || (busy && loop_elapsed() > before + HANGS_USEC);
}

static void happen(struct order *o, const struct event *e)
{
	switch (e->kind) {
	case EVENT_TURN:
		loop_take_turn(host.event);
		trace_volumes();
		break;
	case EVENT_HEAR:
		link_hear(e->link);
		break;
	case EVENT_INPUT:
		loop_take_input(host.event);
		break;
	case EVENT_READ:
		worker_read(e->worker);
		break;
	case EVENT_HEAR_DEATH:
		link_hear_death(e->link);
		break;
	case EVENT_REPLACE:
		host_replace_manager();
		break;
	case EVENT_CALL:
		host_issue();
		break;
	case EVENT_WORK:
		worker_work(e->worker);
		break;
	case EVENT_TIME:
		pass_time();
		break;
	case EVENT_KILL_WORKER:
		o->kills++;
		worker_die(e->worker);
		break;
	case EVENT_KILL_MANAGER:
		o->kills++;
		host_kill_manager();
		break;
	case EVENT_POWER:
		o->kills++;
		host_reboot();
		break;
	case EVENT_REST:
		break;
	}
}

/* --- one order --- */

/* One in so many events of a random order is not the usual one. */
#define RARITY       6
#define KILLS_RARITY 18

static unsigned choose(const struct order *o, const struct next *x)
{
	if (o->random && host.helped > 0)
		return 0; /* people help until it works */
	if (o->random) {
		/* Kills are few, so that long orders are played to their end. */
		const unsigned n = random_below(o->random, KILLS_RARITY) == 0 ? x->n : x->n_usual;

		return random_below(o->random, RARITY) == 0 ? (unsigned)random_below(o->random, n)
							    : 0;
	}
	for (unsigned i = 0; i < o->n; i++)
		if (o->deviation[i].at == o->n_events) {
			assert(o->deviation[i].choice < x->n);
			return o->deviation[i].choice;
		}
	return 0;
}

/* Until nothing is left to happen. */
static void play_to_rest(struct order *o)
{
	static struct next x;
	const struct event *e;

	do {
		if (o->n_events == EVENTS_MAX)
			play_fail("does not come to rest within %d events", EVENTS_MAX);
		list_next(&x, o);
		o->choices[o->n_events] = (uint16_t)x.n;
		e = &x.event[choose(o, &x)];
		trace(o, e);
		happen(o, e);
		o->n_events++;
	} while (e->kind != EVENT_REST);
}

static void play(const struct scenario *s, struct order *o)
{
	o->n_events = o->kills = 0;
	host_begin(s);
	play_to_rest(o);
	check_at_rest();
	while (host.helped < HELP_MAX && host_help()) {
		play_to_rest(o);
		check_at_rest();
	}
	check_at_end();
	host_end();
}

/* NOLINTBEGIN(bugprone-signal-handler): after an assert nothing but this is left to be done */
void play_tell_order(void)
{
	if (!playing)
		return;
	fprintf(stderr, "the order that failed: MANAGER_ORDER=\"%s", played->name);
	if (playing->random)
		fprintf(stderr, " random %" PRIu64, playing_seed);
	for (unsigned i = 0; i < playing->n; i++)
		fprintf(stderr, " %u:%u", playing->deviation[i].at, playing->deviation[i].choice);
	fprintf(stderr, "\"\n");
}

static void on_abort(int signal)
{
	(void)signal;
	play_tell_order();
}
/* NOLINTEND(bugprone-signal-handler) */

static void begin_playing(const struct scenario *s, const struct order *o)
{
	playing = o;
	played = s;
	(void)signal(SIGABRT, on_abort);
}

/* --- all orders --- */

/* With sanitizers an order takes so many times as long. */
#ifdef __SANITIZE_ADDRESS__
#define SLOWER 8
#else
#define SLOWER 1
#endif

struct exploration {
	const struct scenario *scenario;
	unsigned depth;
	uint64_t one_in;  /* of the deepest orders is played */
	uint64_t deepest; /* that there were so far, from a number that the seed gives */
	uint64_t played;
};

static bool is_skipped(struct exploration *x, unsigned depth)
{
	return depth == x->depth && x->deepest++ % x->one_in != 0;
}

/* @depth: deviations that @o has. */
static void play_from(struct exploration *x, struct order *o, unsigned depth)
{
	const unsigned first = depth > 0 ? o->deviation[depth - 1].at + 1 : 0;
	_cleanup_free_ uint16_t *choices = NULL;
	unsigned n_events;

	play(x->scenario, o);
	x->played++;
	if (depth == x->depth)
		return;
	n_events = o->n_events;
	choices = malloc(n_events * sizeof(*choices));
	assert(choices);
	memcpy(choices, o->choices, n_events * sizeof(*choices));
	for (unsigned at = first; at < n_events; at++)
		for (unsigned choice = 1; choice < choices[at]; choice++) {
			if (is_skipped(x, depth + 1))
				continue;
			o->deviation[depth] = (struct deviation){at, choice};
			o->n = depth + 1;
			play_from(x, o, depth + 1);
			o->n = depth;
		}
}

/* Long stretches of nothing are AT_REST; the rest comes in between. */
static void draw_ops(struct scenario *s, struct random *random, unsigned n)
{
	static const enum op_kind kinds[] = {
		OP_ROTATE,       OP_ROTATE_AFTER,  OP_REMOVE, OP_ROTATE, OP_ROTATE_ALL,
		OP_SUSPEND,      OP_RESUME,        OP_RESUME, OP_CANCEL, OP_UNLOCK_WRONG,
		OP_UNLOCK,       OP_LOCK,          OP_RATE,   OP_CHECK,  OP_RESTART,
		OP_UNLOCK_FIRST, OP_ROTATE_LOSING,
	};

	assert(n <= OPS_MAX);
	for (s->n_ops = 0; s->n_ops < n; s->n_ops++)
		s->ops[s->n_ops] = (struct op){
			.kind = kinds[random_below(random, ARRAY_SIZE(kinds))],
			.disk = (unsigned)random_below(random, s->n_disks),
			.when = random_below(random, 3) == 0
					? AFTER((unsigned)random_below(random, 2))
					: AT_REST,
		};
}

/* MANAGER_ORDER="NAME AT:CHOICE..." or "NAME random SEED". */
static bool play_again(struct scenario *s, struct order *o, unsigned n_ops)
{
	const char *text = getenv("MANAGER_ORDER");
	const size_t length = strlen(s->name);
	struct random random = {0};
	int used = 0;

	if (!text)
		return false;
	if (strncmp(text, s->name, length) != 0 || (text[length] && text[length] != ' '))
		return true;
	text += length;
	if (sscanf(text, " random %" SCNu64, &random.state) == 1)
		o->random = &random;
	playing_seed = random.state;
	if (n_ops > 0)
		draw_ops(s, &random, n_ops);
	for (; sscanf(text, " %u:%u%n", &o->deviation[o->n].at, &o->deviation[o->n].choice,
		      &used) == 2;
	     text += used)
		o->n++;
	is_traced = true;
	play(s, o);
	o->random = NULL;
	return true;
}

void play_orders(const struct scenario *s)
{
	static struct order o;
	struct scenario copy = *s;
	struct exploration x = {
		.scenario = s,
		.depth = getenv("SIM_FULL") ? 3 : 2,
		.one_in = (uint64_t)s->one_in * SLOWER,
		.deepest = program_seed(),
	};

	o.n = 0;
	begin_playing(s, &o);
	if (!play_again(&copy, &o, 0))
		play_from(&x, &o, 0);
	playing = NULL;
	printf("%s: %" PRIu64 " orders of events\n", s->name, x.played);
}

static void play_seeds(const struct scenario *base, unsigned n_ops, uint64_t n)
{
	static struct order o;
	static struct scenario s;
	struct random seeds = {program_seed()}, random;
	uint64_t usec = 0;

	s = *base;
	o.n = 0;
	begin_playing(&s, &o);
	if (play_again(&s, &o, n_ops))
		n = 0;
	o.random = &random;
	n = (n + SLOWER - 1) / SLOWER;
	for (uint64_t i = 0; i < n; i++) {
		playing_seed = random.state = random_next(&seeds);
		if (n_ops > 0)
			draw_ops(&s, &random, n_ops);
		play(&s, &o);
		usec += loop_elapsed();
	}
	o.random = NULL;
	playing = NULL;
	printf("%s: %" PRIu64 " orders of events at random, %" PRIu64 " days of the clock\n",
	       s.name, n, usec / UINT64_C(86400000000));
}

void play_random(const struct scenario *s, uint64_t n)
{
	play_seeds(s, 0, n);
}

void play_random_ops(const struct scenario *s, unsigned n_ops, uint64_t n)
{
	play_seeds(s, n_ops, n);
}
