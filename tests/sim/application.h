/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An application on a volume in re-encryption: it writes blocks at random, through the key that the
 * freezer says is right at that place, never into a frozen range, and now and then it flushes. It
 * knows for every instant which contents of a block a crash may leave:
 *
 *     the last write that was flushed, or any later one
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/freezer.h"
#include "run.h"

#define APPLICATION_THAWS 64

struct application {
	struct freezer freezer;
	struct run *run;
	uint64_t seed;
	struct position routing; /* hotzone_size: what is frozen */
	uint64_t frozen_offset;
	bool frozen, failed;
	bool late; /* writes only into a range that is about to be frozen, one time in three */
	unsigned flush_one_in; /* writes, 0: never flushes */
	unsigned freezes, violations;
	unsigned thawed[APPLICATION_THAWS]; /* events of the medium by then, with what waited */
	unsigned thaws;
	struct app_write *writes;
	unsigned n_writes;
	uint8_t *plain; /* with all writes done */
};

void application_init(struct application *a, struct run *r, uint64_t seed);
void application_done(struct application *a);

/*
 * Writes some blocks that are not frozen. Before the run, by the old key: what somebody left there
 * before an offline re-encryption.
 */
void application_work(struct application *a);

/* Is the finished @image one that a crash at @event may lead to? For struct exploration. */
bool application_accepts(void *arg, const uint8_t *image, unsigned event);
