/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small generator (splitmix64) whose whole state is its seed, so that every run can be repeated.
 */
#pragma once

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline uint64_t random_below(struct random *r, uint64_t n)
{
	return random_next(r) % n;
}

/* The seed of a whole program: what SIM_SEED says, or always the same one. Printed. */
static inline uint64_t program_seed(void)
{
	const char *s = getenv("SIM_SEED");
	const uint64_t seed = s ? strtoull(s, NULL, 0) : UINT64_C(20261122);

	printf("# SIM_SEED=%" PRIu64 "\n", seed);
	return seed;
}
