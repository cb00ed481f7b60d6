/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/rotation-check.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "util/checked.h"
#include "util/log.h"

int rotation_check_resilience(const char *value)
{
	if (strcmp(value, "checksum") == 0 || strcmp(value, "journal") == 0)
		return 0;
	if (strcmp(value, "none") == 0)
		return log_refusal(-ENOTSUP, "--resilience none is refused: a kill would corrupt "
					     "the volume silently");
	if (strncmp(value, "datashift", strlen("datashift")) == 0)
		return log_refusal(-ENOTSUP, "--resilience %s is refused: %s", value, NO_SHIFT);
	return log_refusal(-EINVAL, "--resilience must be checksum or journal, not \"%s\"", value);
}

static int refuse(const char *why)
{
	return log_refusal(-EINVAL, "%s", why);
}

static int check_sector_size(uint32_t size)
{
	if (size == 0 || (is_power_of_2(size) && size >= SECTOR_SIZE && size <= 4096))
		return 0;
	return log_refusal(-EINVAL, "--sector-size must be 512, 1024, 2048 or 4096, not %" PRIu32,
			   size);
}

static int check_pbkdf(const struct rotate_options *z)
{
	if (*z->pbkdf && strcmp(z->pbkdf, "pbkdf2") != 0 && strcmp(z->pbkdf, "argon2i") != 0 &&
	    strcmp(z->pbkdf, "argon2id") != 0)
		return refuse("--pbkdf must be pbkdf2, argon2i or argon2id");
	if (z->pbkdf_iterations && z->pbkdf_time_ms)
		return refuse("--pbkdf-force-iterations and --iter-time exclude each other");
	if (strcmp(z->pbkdf, "pbkdf2") != 0)
		return 0;
	if (z->pbkdf_memory_kib || z->pbkdf_parallel)
		return refuse("pbkdf2 has neither --pbkdf-memory nor --pbkdf-parallel");
	if (z->pbkdf_iterations && z->pbkdf_iterations < 1000)
		return refuse("--pbkdf-force-iterations must be at least 1000 for pbkdf2");
	return 0;
}

int rotation_check(const struct rotate_options *z)
{
	int r = check_sector_size(z->sector_size);

	if (r < 0)
		return r;
	if (z->keep_key && z->key_size)
		return refuse("--keep-key keeps the key as it is: --key-size cannot change it");
	return check_pbkdf(z);
}
