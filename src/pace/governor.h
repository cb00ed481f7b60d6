/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How fast the work may be while an application is at the volume. One figure, smoothed, says how
 * much that one is in need, and the rate follows it:
 *
 *     idle      the share of time in which it has requests at the volume, or tasks wait for I/O
 *     latency   the mean time that its requests take, as a share of the target
 *
 *     rate  max |-----.                 The rate goes down to where the line says in a third of a
 *               |      `-.              second, and up in seconds: who comes back soon finds the
 *           min |         `------       way still clear. A slope and no threshold, since the work
 *               +-----+---+------       itself makes the application slower: with a threshold the
 *                    low high  need     rate would swing around it.
 *
 * Pure: figures go in, a rate comes out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum governor_mode { GOVERNOR_NONE, GOVERNOR_IDLE, GOVERNOR_LATENCY };

struct governor_config {
	enum governor_mode mode;
	uint64_t rate_min;       /* bytes/s; 0 counts as GOVERNOR_RATE_MIN */
	uint64_t rate_max;       /* bytes/s; 0: none */
	uint64_t latency_target; /* microseconds, not 0 with GOVERNOR_LATENCY */
};

/* The least that is ever allowed: one small hotzone in a while. */
#define GOVERNOR_RATE_MIN UINT64_C(4096)

/* Where nobody says otherwise: bytes/s, microseconds. */
#define GOVERNOR_DEFAULT_RATE_MIN       (UINT64_C(1) << 20)
#define GOVERNOR_DEFAULT_LATENCY_TARGET UINT64_C(10000)

/* What has happened since the sample before; microseconds. */
struct governor_sample {
	uint64_t usec;
	uint64_t requests, waited_usec, pressure_usec;
	uint64_t in_flight; /* at the end */
	uint64_t converted; /* bytes */
};

struct governor {
	double need; /* smoothed; 1: all the time, or the target */
	double busy; /* of it, for the reason: shares of time, microseconds */
	double pressure, latency;
	double speed;   /* bytes/s of the work, smoothed */
	double fastest; /* bytes/s, what the work has been seen to reach */
	double allowed; /* bytes/s; 0: before the first sample */
};

/* Bytes/s until the next sample; 0: no limit. An idle start is a slow one, from rate_min. */
uint64_t governor_update(struct governor *g, const struct governor_config *c,
			 const struct governor_sample *s);

/* Is the need such that the rate is not rate_max? */
bool governor_steps_back(const struct governor *g, const struct governor_config *c);

/* Why it is that, in words. */
void governor_reason(const struct governor *g, const struct governor_config *c, char *buf,
		     size_t size);

/* "none", "idle", "latency"; -EINVAL: none of them. */
extern const char *const governor_mode_names[GOVERNOR_LATENCY + 1];
const char *governor_mode_name(enum governor_mode mode);
int governor_mode_parse(const char *text, enum governor_mode *ret);
