/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A slot of the volume: what its header showed when a worker last looked. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/state/record.h"
#include "luks/bindings.h"
#include "proto/messages.h"

/* What is of a re-encryption is "" or 0 out of one. */
struct volume_header {
	enum reencryption reencryption;
	bool unseen; /* its worker is gone, and may have prepared: it may be in re-encryption */
	bool stacked, supported;
	uint64_t sequence;
	char old_side[RECORD_SIDE_SIZE], new_side[RECORD_SIDE_SIZE];
	struct parameters parameters;
	/* Bit n: keyslot n is there; the worker has its passphrase; a rotation would lose it. */
	uint32_t keyslots, open_keyslots, missing_keyslots;
	struct luks_bindings bindings; /* of keyslots; an older worker tells none */
};

void header_looked(struct volume_header *h, const struct worker_look *look);
/* A worker is gone, and nobody knows whether it had prepared. */
void header_lost(struct volume_header *h);

bool header_in_reencryption(const struct volume_header *h);
/* Does it lead back to the old key? */
bool header_is_backward(const struct volume_header *h);
/* Is a range half converted, or a helper device left? */
bool header_is_unclean(const struct volume_header *h);

/* For record_compare() and its like; good for as long as @h. */
struct record_header header_sides(const struct volume_header *h);
