/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pace/governor.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/checked.h"

/* Time constants, seconds. */
#define NEED_UP   0.2
#define NEED_DOWN 1.0
#define RATE_UP   2.5
#define RATE_DOWN 0.2
#define SPEED     1.0
/* One long sample counts no more than this, seconds. */
#define STEP_MAX 1.0
/* From here on the limit is none: it would be found nowhere but in the way. */
#define NEARLY_ALL 0.9
/* Room above the fastest that was seen, so that it can be beaten. */
#define HEADROOM 2.0

/* Where the slope begins and ends. */
static const struct {
	double low, high;
} slopes[] = {
	[GOVERNOR_IDLE] = {0.1, 0.6},
	[GOVERNOR_LATENCY] = {0.5, 1.0},
};

const char *const governor_mode_names[] = {
	[GOVERNOR_NONE] = "none",
	[GOVERNOR_IDLE] = "idle",
	[GOVERNOR_LATENCY] = "latency",
};

const char *governor_mode_name(enum governor_mode mode)
{
	assert(mode < ARRAY_SIZE(governor_mode_names));
	return governor_mode_names[mode];
}

int governor_mode_parse(const char *text, enum governor_mode *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(governor_mode_names); i++)
		if (strcmp(governor_mode_names[i], text) == 0) {
			*ret = (enum governor_mode)i;
			return 0;
		}
	return -EINVAL;
}

/* Moves *value towards @target as a time constant of @tau seconds says. */
static void approach(double *value, double target, double seconds, double tau)
{
	*value += (target - *value) * seconds / (seconds + tau);
}

static void follow(double *value, double now, double seconds)
{
	approach(value, now, seconds, now > *value ? NEED_UP : NEED_DOWN);
}

/* Requests are counted when they have finished: one that takes long shows only in flight. */
static void measure(struct governor *g, const struct governor_sample *s, double seconds)
{
	const double usec = (double)MAX(s->usec, UINT64_C(1));
	const bool stuck = s->requests == 0 && s->in_flight > 0;
	const double latency = s->requests > 0 ? (double)s->waited_usec / (double)s->requests
			       : stuck         ? usec
					       : 0;

	follow(&g->busy, stuck ? 1 : MIN((double)s->waited_usec / usec, 1.0), seconds);
	follow(&g->pressure, MIN((double)s->pressure_usec / usec, 1.0), seconds);
	follow(&g->latency, latency, seconds);
	approach(&g->speed, (double)s->converted * 1e6 / usec, seconds, SPEED);
	g->fastest = MAX(g->fastest, g->speed);
}

static double wanted_rate(const struct governor *g, const struct governor_config *c, double min,
			  double max)
{
	const double low = slopes[c->mode].low, high = slopes[c->mode].high;

	assert(min <= max && low < high);
	if (g->need <= low)
		return max;
	if (g->need >= high)
		return min;
	return min + (max - min) * (high - g->need) / (high - low);
}

uint64_t governor_update(struct governor *g, const struct governor_config *c,
			 const struct governor_sample *s)
{
	const double seconds = MIN((double)s->usec / 1e6, STEP_MAX);
	const double min = (double)MAX(c->rate_min, GOVERNOR_RATE_MIN);
	double max, wanted;

	measure(g, s, seconds);
	if (c->mode == GOVERNOR_NONE)
		return 0;
	g->need = c->mode == GOVERNOR_LATENCY
			  ? g->latency / (double)MAX(c->latency_target, UINT64_C(1))
			  : MAX(g->busy, g->pressure);
	max = c->rate_max > 0 ? (double)c->rate_max : MAX(g->fastest * HEADROOM, 4 * min);
	max = MAX(max, min);
	wanted = wanted_rate(g, c, min, max);
	/* A limit that was far away is no help: what counts is the speed that there is. */
	if (wanted < g->allowed && g->speed * HEADROOM < g->allowed)
		g->allowed = MAX(g->speed * HEADROOM, wanted);
	approach(&g->allowed, wanted, seconds, wanted < g->allowed ? RATE_DOWN : RATE_UP);
	g->allowed = g->allowed < min ? min : MIN(g->allowed, max);
	if (c->rate_max == 0 && wanted >= max && g->allowed >= NEARLY_ALL * max)
		return 0;
	return (uint64_t)g->allowed;
}

bool governor_steps_back(const struct governor *g, const struct governor_config *c)
{
	return c->mode != GOVERNOR_NONE && g->need > slopes[c->mode].low;
}

void governor_reason(const struct governor *g, const struct governor_config *c, char *buf,
		     size_t size)
{
	const char *how = governor_steps_back(g, c) ? ", so the work steps back" : "";

	if (c->mode == GOVERNOR_NONE)
		(void)snprintf(buf, size, "%s", "");
	else if (c->mode == GOVERNOR_LATENCY)
		(void)snprintf(buf, size,
			       "requests to the volume take %.1f ms, the target is %.1f ms%s",
			       g->latency / 1e3, (double)c->latency_target / 1e3, how);
	else if (g->pressure > g->busy)
		(void)snprintf(buf, size, "tasks wait for I/O %.0f %% of the time%s",
			       g->pressure * 100, how);
	else
		(void)snprintf(buf, size, "the volume is in use %.0f %% of the time%s",
			       g->busy * 100, how);
}
