/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What callers ask for beside a rotation, and what a dry run answers: plain values. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/failure.h"
#include "model/rotation.h"

struct unlock_options {
	char type[16]; /* "passphrase" (the default when empty), "volume-key" */
	int keyslot;   /* or -1 */
};

/* The dry run of a rotation. */
struct check_result {
	struct failure obstacle; /* name "": nothing stands in the way */
	char old_cipher[128], new_cipher[128];
	uint32_t old_key_size, new_key_size;       /* bytes */
	uint32_t old_sector_size, new_sector_size; /* bytes */
	uint64_t bytes;                            /* to convert */
	uint64_t estimated_usec;                   /* 0: unknown */
	size_t n_lost, n_kept;
	uint32_t lost[32], kept[32]; /* keyslots */
};
