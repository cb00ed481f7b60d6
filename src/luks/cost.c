/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/cost.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "luks/fields.h"
#include "util/checked.h"
#include "util/error.h"

#define GIB UINT64_C(1073741824)
#define MIB UINT64_C(1048576)

#define DEFAULT_MEMORY_MIN (1 * GIB)
#define DEFAULT_MEMORY_MAX (4 * GIB)

/* Threads of argon2. cryptsetup makes 4 at most; each needs a stack of its own. */
#define LANES_MAX 16U

/* Of the anti-forensic split; the specification allows no other number. */
#define STRIPES 4000U

#define AREA_KEY_MAX 512U /* bytes */

#define MEMORY_SETTING "--key-memory-max, KeyMemoryMax="
#define STEPS_SETTING  "--key-cost-max, KeyCostMax="

uint64_t luks_cost_default_memory(void)
{
	const uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES);
	const uint64_t quarter = pages * (uint64_t)sysconf(_SC_PAGESIZE) / 4;

	if (quarter < DEFAULT_MEMORY_MIN)
		return DEFAULT_MEMORY_MIN;
	return MIN(quarter, DEFAULT_MEMORY_MAX);
}

/* What the kernel could give without swapping; UINT64_MAX: it does not say. */
static uint64_t available_memory(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	uint64_t kib = UINT64_MAX;
	char line[128];

	if (!f)
		return UINT64_MAX;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1)
			break;
	(void)fclose(f);
	return kib > UINT64_MAX / 1024 ? UINT64_MAX : kib * 1024;
}

static uint64_t steps_max(const struct luks_cost_limits *l)
{
	return l->steps ?: LUKS_COST_STEPS_DEFAULT;
}

int luks_cost_check_steps(const char *what, const char *kdf, uint64_t steps,
			  const struct luks_cost_limits *l, struct luks_reason *why)
{
	if (steps <= steps_max(l))
		return 0;
	return luks_refuse(why, -ERROR_COST_TOO_HIGH,
			   "%s: %.16s costs %" PRIu64 " steps, the limit is %" PRIu64
			   "; raise the limit (" STEPS_SETTING ") if the volume is yours",
			   what, kdf, steps, steps_max(l));
}

int luks_cost_check_memory(const char *what, const char *kdf, uint64_t memory,
			   const struct luks_cost_limits *l, struct luks_reason *why)
{
	const uint64_t limit = l->memory ?: luks_cost_default_memory();
	const uint64_t available = available_memory();

	if (memory > limit)
		return luks_refuse(why, -ERROR_COST_TOO_HIGH,
				   "%s: %.16s needs %" PRIu64 " MiB of memory, the limit "
				   "is %" PRIu64 " MiB; raise the limit (" MEMORY_SETTING
				   ") if the volume is yours",
				   what, kdf, memory / MIB, limit / MIB);
	if (memory > available)
		return luks_refuse(why, -ERROR_COST_TOO_HIGH,
				   "%s: %.16s needs %" PRIu64 " MiB of memory, and only "
				   "%" PRIu64 " MiB are available; free some, or use a machine "
				   "with more",
				   what, kdf, memory / MIB, available / MIB);
	return 0;
}

static int refuse_kdf(const char *what, struct luks_reason *why)
{
	return luks_refuse(why, -ERROR_COST_TOO_HIGH,
			   "%s: the cost of its key derivation is out of all bounds", what);
}

static int check_argon2(json_object *kdf, const char *what, const char *type,
			const struct luks_cost_limits *l, struct luks_reason *why)
{
	uint32_t passes, kib, lanes;
	int r;

	if (field_u32(kdf, "time", &passes) < 0 || field_u32(kdf, "memory", &kib) < 0 ||
	    field_u32(kdf, "cpus", &lanes) < 0)
		return refuse_kdf(what, why);
	if (lanes == 0 || lanes > LANES_MAX)
		return luks_refuse(why, -ERROR_COST_TOO_HIGH,
				   "%s: %.16s wants %" PRIu32
				   " threads, and %u are the most that recryptd starts",
				   what, type, lanes, LANES_MAX);
	r = luks_cost_check_memory(what, type, kib * UINT64_C(1024), l, why);
	return r < 0 ? r : luks_cost_check_steps(what, type, (uint64_t)passes * kib, l, why);
}

/* PBKDF2 takes all its iterations once for each block of the hash's size in the result. */
static int check_pbkdf2(json_object *kdf, const char *what, uint32_t area_key_size,
			const struct luks_cost_limits *l, struct luks_reason *why)
{
	const char *hash = field_string(kdf, "hash");
	const int block = hash ? hash_size(hash) : -EINVAL;
	uint32_t iterations;

	if (!hash)
		return refuse_kdf(what, why);
	if (block < 0)
		return luks_refuse(why, -ERROR_UNKNOWN_HASH,
				   "%s: OpenSSL here has no hash \"%.32s\" (is its legacy "
				   "provider installed?)",
				   what, hash);
	if (field_u32(kdf, "iterations", &iterations) < 0)
		return refuse_kdf(what, why);
	assert(block > 0 && area_key_size <= AREA_KEY_MAX);
	return luks_cost_check_steps(
		what, "pbkdf2",
		(uint64_t)iterations * ((area_key_size + (uint32_t)block - 1) / (uint32_t)block), l,
		why);
}

/* The keyslot holds the volume key, split into stripes, under a key of the area. */
static int check_sizes(json_object *json, const char *what, uint32_t *ret_area_key_size,
		       struct luks_reason *why)
{
	json_object *area = field_get(json, "area", json_type_object);
	json_object *af = field_get(json, "af", json_type_object);
	uint32_t key_size, stripes;
	uint64_t area_size, split;

	if (field_u32(json, "key_size", &key_size) < 0 || field_u32(af, "stripes", &stripes) < 0 ||
	    field_u32(area, "key_size", ret_area_key_size) < 0 ||
	    field_u64(area, "size", &area_size) < 0)
		return refuse_kdf(what, why);
	if (stripes != STRIPES)
		return luks_refuse(why, -ERROR_COST_TOO_HIGH,
				   "%s: it has %" PRIu32 " stripes; LUKS2 has %u", what, stripes,
				   STRIPES);
	if (*ret_area_key_size > AREA_KEY_MAX)
		return luks_refuse(why, -ERROR_COST_TOO_HIGH,
				   "%s: its area has a key of %" PRIu32
				   " bytes; no cipher takes more than %u",
				   what, *ret_area_key_size, AREA_KEY_MAX);
	if (mul_u64(key_size, stripes, &split) < 0 || split > area_size)
		return luks_refuse(why, -ERROR_COST_TOO_HIGH,
				   "%s: a key of %" PRIu32 " bytes does not fit into its "
				   "area of %" PRIu64 " bytes",
				   what, key_size, area_size);
	return 0;
}

static int check_kdf(json_object *json, const char *what, const struct luks_cost_limits *l,
		     struct luks_reason *why)
{
	json_object *kdf = field_get(json, "kdf", json_type_object);
	const char *type = kdf ? field_string(kdf, "type") : NULL;
	uint32_t area_key_size;
	int r;

	if (!type)
		return refuse_kdf(what, why);
	r = check_sizes(json, what, &area_key_size, why);
	if (r < 0)
		return r;
	if (strcmp(type, "pbkdf2") == 0)
		return check_pbkdf2(kdf, what, area_key_size, l, why);
	return check_argon2(kdf, what, type, l, why);
}

int luks_cost_check_digest(const char *what, uint64_t iterations,
			   const struct luks_cost_limits *limits, struct luks_reason *why)
{
	if (iterations <= steps_max(limits))
		return 0;
	return luks_refuse(why, -ERROR_COST_TOO_HIGH,
			   "%s: pbkdf2 costs %" PRIu64 " steps, the limit is %" PRIu64
			   "; raise the limit (" STEPS_SETTING ") if the volume is yours",
			   what, iterations, steps_max(limits));
}

/* libcryptsetup compares what a keyslot gave with each digest that lists the keyslot. */
static int check_digests(json_object *root, int keyslot, const struct luks_cost_limits *l,
			 struct luks_reason *why)
{
	json_object *digests = field_get(root, "digests", json_type_object);

	for (unsigned id = 0; id < LUKS_MAX_DIGESTS; id++) {
		json_object *digest = field_by_id(digests, id);
		json_object *ids = field_get(digest, "keyslots", json_type_array);
		uint32_t iterations;
		char what[48];
		int r;

		if (!ids || !ids_contain(ids, (unsigned)keyslot))
			continue;
		(void)snprintf(what, sizeof(what), "digest %u of keyslot %d", id, keyslot);
		if (field_u32(digest, "iterations", &iterations) < 0)
			return luks_refuse(why, -ERROR_COST_TOO_HIGH,
					   "%s: its cost is out of all bounds", what);
		r = luks_cost_check_digest(what, iterations, l, why);
		if (r < 0)
			return r;
	}
	return 0;
}

int luks_cost_check_keyslot(json_object *root, int keyslot, const struct luks_cost_limits *limits,
			    struct luks_reason *why)
{
	json_object *keyslots = field_get(root, "keyslots", json_type_object);
	json_object *json =
		keyslots && keyslot >= 0 ? field_by_id(keyslots, (unsigned)keyslot) : NULL;
	char what[32];
	int r;

	if (!json)
		return luks_refuse(why, -ENOENT, "there is no keyslot %d", keyslot);
	(void)snprintf(what, sizeof(what), "keyslot %d", keyslot);
	r = check_kdf(json, what, limits, why);
	return r < 0 ? r : check_digests(root, keyslot, limits, why);
}
