/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rule for options of a command that finds a re-encryption begun already: they must not
 * contradict what was chosen at the beginning. The worker fills struct begun from the header, and
 * recryptctl from what the daemon tells of the volume.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/rotation.h"

/* Strings are never NULL. */
struct begun {
	const char *device; /* for messages */
	const char *cipher; /* new, as the rest */
	uint32_t sector_size;
	uint32_t key_size; /* bytes; 0: not known */
	bool keep_key;
	const char *pbkdf, *pbkdf_hash; /* "": not known, or no new keyslot was made */
	const char *resilience;
};

/*
 * Names the option that contradicts @b: -EINVAL. @key_size_option: where the size of the new key
 * came from, "--key-size" or "--new-key-size". Another resilience is the caller's business.
 */
int begun_check(const struct begun *b, const struct rotate_options *z, const char *key_size_option);
