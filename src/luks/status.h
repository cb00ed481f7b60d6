/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `status` tells of a volume, from the header alone: no key, no write. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "luks/header.h"
#include "luks/reencrypt.h"

struct luks_status {
	char uuid[41];
	char label[49];
	uint64_t seqid;
	bool copy_bad; /* one header copy is bad; the next writer repairs it */
	struct luks_reenc reenc;
	uint64_t bytes_done; /* converted for good */
	uint64_t bytes_left; /* a hotzone included */
	/* Bytes that the header fixes the data to, where the device has more and no re-encryption
	 * is in progress: the next one, of the closed volume, needs --device-size. Else 0. */
	uint64_t fixed_size;
	/*
	 * Only we may go on: cryptsetup would destroy data (a finished conversion that the header
	 * does not call finished, what lies behind data of a fixed size), or may (a backward
	 * hotzone that it cannot recover).
	 */
	bool only_us;
	/* Only cryptsetup may go on: data shift, encryption, decryption. */
	bool only_cryptsetup;
};

/* Parameters and errors as of luks_reenc_load(). */
int luks_status_get(const struct luks_header *h, uint64_t device_size, uint64_t fixed_size,
		    uint32_t block_size, struct luks_status *ret, struct luks_reason *why);

/* The words that cryptsetup's metadata and option names use: "checksum", "forward", "reencrypt". */
const char *luks_reenc_state_name(enum luks_reenc_state state); /* none, clean, hot, finish */
const char *luks_reenc_mode_name(enum luks_reenc_mode mode);
const char *luks_direction_name(enum luks_direction direction);
const char *luks_resilience_name(enum luks_resilience resilience);
