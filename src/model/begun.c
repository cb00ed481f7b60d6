/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/begun.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "crypto/cipher-spec.h"
#include "util/log.h"

static int refuse_option(const struct begun *b, const char *option)
{
	return log_refusal(-EINVAL,
			   "%s: %s is not what the re-encryption in progress was begun with; "
			   "leave it out to resume",
			   b->device, option);
}

static int refuse_key_size(const struct begun *b, const struct rotate_options *z,
			   const char *option)
{
	return log_refusal(-EINVAL,
			   "%s: %s is not what the re-encryption in progress was begun with: the "
			   "new volume key has %" PRIu32 " bits, and %" PRIu32 " are asked for; "
			   "leave it out to resume",
			   b->device, option, b->key_size * 8, z->key_size * 8);
}

static bool differs(const char *option, const char *begun)
{
	return *option && *begun && strcasecmp(option, begun) != 0;
}

/* The worker makes new keyslots only at the beginning, with costs that depend on the machine. */
static void tell_costs(const struct begun *b, const struct rotate_options *z)
{
	if (z->pbkdf_time_ms || z->pbkdf_iterations || z->pbkdf_memory_kib || z->pbkdf_parallel)
		log_notice(
			"%s: the keyslots of the new key were made when the re-encryption began; "
			"options for the costs of their PBKDF have no effect now",
			b->device);
}

int begun_check(const struct begun *b, const struct rotate_options *z, const char *key_size_option)
{
	if (*z->cipher && !cipher_spec_same(z->cipher, b->cipher))
		return refuse_option(b, "--cipher");
	if (z->sector_size > 0 && z->sector_size != b->sector_size)
		return refuse_option(b, "--sector-size");
	if (z->keep_key && !b->keep_key)
		return refuse_option(b, "--keep-key");
	if (z->key_size > 0 && b->key_size > 0 && z->key_size != b->key_size)
		return refuse_key_size(b, z, key_size_option);
	if (differs(z->pbkdf, b->pbkdf))
		return refuse_option(b, "--pbkdf");
	if (differs(z->pbkdf_hash, b->pbkdf_hash))
		return refuse_option(b, "--hash");
	if (*z->hash && !*z->resilience && strcmp(b->resilience, "journal") == 0)
		return log_refusal(-EINVAL,
				   "%s: --resilience-hash is for checksums, and the re-encryption "
				   "in progress has a journal; add --resilience checksum to change "
				   "that",
				   b->device);
	tell_costs(b, z);
	return 0;
}
