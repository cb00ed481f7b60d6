/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A conversion between conversion.c, conversion-setup.c and conversion-stack.c. */
#pragma once

#include "crypto/checksum.h"
#include "crypto/cipher.h"
#include "crypto/pool.h"
#include "dm/stack.h"
#include "worker/conversion.h"
#include "worker/freezer-dm.h"
#include "worker/kernel-cipher.h"
#include "worker/luks-store.h"

struct conversion {
	struct work_volume *volume;
	const struct conversion_keys *keys;
	const struct conversion_watch *watch;
	struct disk *disk;
	struct pool *pool, *header_lane;
	struct checksum *checksum;
	struct cipher *cipher[2];
	struct kernel_cipher *kernel_cipher[2]; /* of a side whose cipher OpenSSL lacks */
	struct luks_store store;
	struct stack *stack;
	struct freezer_dm freezer;
	struct engine *engine;
	bool skips;                      /* @engine leaves unwritten blocks as they are */
	struct position position;        /* what the header says, or may say after an error */
	struct engine_progress progress; /* the last one */
	uint64_t claim_checked;          /* when that was, in usec of now_usec() */
	bool in_use;                     /* by somebody who came after us */
};

/*
 * Makes what the caller has not set (volume, keys, watch). What was made before a failure,
 * which is logged, goes with the tear-down.
 */
int conversion_set_up(struct conversion *c);
void conversion_tear_down(struct conversion *c);

/* One side of the volume for device-mapper; @key may be NULL where none is needed. */
struct stack_side conversion_stack_side(const struct luks_side *side, const struct secret *key);

/* Could the live table of an active volume be stacked? Changes nothing. Logs failures. */
int conversion_check_stack(const struct work_volume *v);

/* Sets up the stack and its freezer. Logs failures. */
int conversion_stack(struct conversion *c);

/* Clean: the live table becomes a plain one. Hot: all stays as it is, for the next attempt. Logs
 * failures. */
int conversion_unstack(struct conversion *c);
