/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a header may claim, and digests that are compared in pieces. */
#include <errno.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "luks/derive.h"
#include "luks/fields.h"
#include "util/clock.h"
#include "util/error.h"

#define GIB     (UINT64_C(1) << 30)
#define SECOND  UINT64_C(1000000)
#define ENDLESS 200000000U

static const struct luks_cost_limits limits = {.memory = GIB, .steps = 10000000};

/* Keyslot 0 with this KDF and sizes, and a digest of this many iterations. */
struct claim {
	const char *kdf;
	uint64_t key_size, area_key_size, stripes, iterations;
};

#define PBKDF2(n) "{\"type\":\"pbkdf2\",\"hash\":\"sha256\",\"iterations\":" #n ",\"salt\":\"\"}"
#define ARGON2(time, memory, cpus)                                                                 \
	"{\"type\":\"argon2id\",\"time\":" #time ",\"memory\":" #memory ",\"cpus\":" #cpus         \
	",\"salt\":\"\"}"

static int check(const struct claim *c, struct luks_reason *why)
{
	_cleanup_(json_putp) json_object *root = NULL;
	char text[1024];

	(void)snprintf(text, sizeof(text),
		       "{\"keyslots\":{\"0\":{\"type\":\"luks2\",\"key_size\":%llu,"
		       "\"af\":{\"type\":\"luks1\",\"stripes\":%llu,\"hash\":\"sha256\"},"
		       "\"area\":{\"type\":\"raw\",\"offset\":\"32768\",\"size\":\"258048\","
		       "\"encryption\":\"aes-xts-plain64\",\"key_size\":%llu},\"kdf\":%s}},"
		       "\"digests\":{\"0\":{\"type\":\"pbkdf2\",\"keyslots\":[\"0\"],"
		       "\"iterations\":%llu}}}",
		       (unsigned long long)c->key_size, (unsigned long long)c->stripes,
		       (unsigned long long)c->area_key_size, c->kdf,
		       (unsigned long long)c->iterations);
	root = json_tokener_parse(text);
	assert_non_null(root);
	return luks_cost_check_keyslot(root, 0, &limits, why);
}

static void allowed(const struct claim *c)
{
	struct luks_reason why = {};

	if (check(c, &why) < 0)
		fail_msg("%s", why.text);
}

static void refused(const struct claim *c, const char *says)
{
	struct luks_reason why = {};

	assert_int_equal(check(c, &why), -ERROR_COST_TOO_HIGH);
	assert_non_null(strstr(why.text, "keyslot 0"));
	if (!strstr(why.text, says))
		fail_msg("\"%s\" does not say %s", why.text, says);
}

#define ALLOWED(...)       allowed(&(struct claim){__VA_ARGS__})
#define REFUSED(says, ...) refused(&(struct claim){__VA_ARGS__}, says)

static void what_cryptsetup_makes_is_allowed(void **state)
{
	(void)state;
	ALLOWED(PBKDF2(5000000), 64, 64, 4000, 1000000);
	ALLOWED(PBKDF2(1000), 64, 64, 4000, 1000);
	ALLOWED(ARGON2(4, 1048576, 4), 64, 64, 4000, 1000);
	ALLOWED(ARGON2(60000, 32, 1), 32, 32, 4000, 1000);
}

static void what_is_above_a_limit_is_refused_with_its_name(void **state)
{
	(void)state;
	REFUSED("KeyCostMax=", PBKDF2(5000001), 64, 64, 4000, 1000);
	REFUSED("KeyCostMax=", PBKDF2(2147483647), 64, 64, 4000, 1000);
	REFUSED("KeyCostMax=", PBKDF2(2147483648), 64, 64, 4000, 1000); /* 2^32 steps */
	REFUSED("KeyCostMax=", ARGON2(10, 1048576, 4), 64, 64, 4000, 1000);
	REFUSED("KeyMemoryMax=", ARGON2(4, 1048577, 4), 64, 64, 4000, 1000);
	REFUSED("KeyMemoryMax=", ARGON2(4, 4294967295, 4), 64, 64, 4000, 1000);
	REFUSED("KeyCostMax=", PBKDF2(1000), 64, 64, 4000, 10000001);
	REFUSED("16", ARGON2(4, 32, 17), 64, 64, 4000, 1000);
	REFUSED("16", ARGON2(4, 32, 0), 64, 64, 4000, 1000);
}

static void sizes_that_cannot_be_are_refused(void **state)
{
	(void)state;
	REFUSED("stripes", PBKDF2(1000), 64, 64, 2147483648, 1000);
	REFUSED("stripes", PBKDF2(1000), 64, 64, 1, 1000);
	REFUSED("fit", PBKDF2(1000), 65, 64, 4000, 1000);
	REFUSED("fit", PBKDF2(1000), 4294967295, 64, 4000, 1000);
	REFUSED("cipher", PBKDF2(1000), 64, 513, 4000, 1000);
	REFUSED("bounds", PBKDF2(1000), 4294967296, 64, 4000, 1000);
	REFUSED("bounds", PBKDF2(4294967296), 64, 64, 4000, 1000);
	REFUSED("bounds", PBKDF2(-1), 64, 64, 4000, 1000);
	REFUSED("bounds", PBKDF2(1000), 64, 64, 4000, 4294967296);
	REFUSED("bounds", "{}", 64, 64, 4000, 1000);
	REFUSED("bounds", "{\"type\":\"argon2id\"}", 64, 64, 4000, 1000);
	REFUSED("bounds", ARGON2(4294967296, 32, 4), 64, 64, 4000, 1000);
	REFUSED("bounds", ARGON2(4, 4294967296, 4), 64, 64, 4000, 1000);
	REFUSED("bounds", ARGON2(4, 32, -1), 64, 64, 4000, 1000);
}

static void what_cannot_be_derived_is_refused(void **state)
{
	static const struct claim no_hash = {"{\"type\":\"pbkdf2\"}", 64, 64, 4000, 1000};
	static const struct claim other_hash = {
		"{\"type\":\"pbkdf2\",\"hash\":\"rot13\",\"iterations\":1000}", 64, 64, 4000, 1000};
	_cleanup_(json_putp) json_object *root = json_tokener_parse("{\"keyslots\":{}}");
	struct luks_reason why = {};

	(void)state;
	assert_int_equal(check(&no_hash, &why), -ERROR_COST_TOO_HIGH);
	assert_int_equal(check(&other_hash, &why), -ERROR_UNKNOWN_HASH);
	assert_non_null(strstr(why.text, "rot13"));
	assert_int_equal(luks_cost_check_keyslot(root, 0, &limits, &why), -ENOENT);
	assert_int_equal(luks_cost_check_keyslot(root, -1, &limits, &why), -ENOENT);
}

static void more_memory_than_there_is_is_refused(void **state)
{
	const struct luks_cost_limits all = {.memory = UINT64_MAX};
	struct luks_reason why = {};

	(void)state;
	assert_int_equal(luks_cost_check_memory("it", "argon2id", UINT64_MAX / 2, &all, &why),
			 -ERROR_COST_TOO_HIGH);
	assert_non_null(strstr(why.text, "available"));
}

static int derive(const char *hash, uint32_t iterations, uint8_t *out, size_t size)
{
	static const uint8_t salt[] = "salt";
	struct secret password = {8, (uint8_t *)(uintptr_t) "password"};
	const struct luks_pbkdf2 p = {"digest 0", hash, salt, 4, iterations};

	return luks_derive_pbkdf2(&p, &password, out, size);
}

/* RFC 6070, and the same with SHA-256. */
static void pbkdf2_is_as_published(void **state)
{
	static const uint8_t sha1[] = {0x4b, 0x00, 0x79, 0x01, 0xb7, 0x65, 0x48, 0x9a, 0xbe, 0xad,
				       0x49, 0xd9, 0x26, 0xf7, 0x21, 0xd0, 0x65, 0xa4, 0x29, 0xc1};
	static const uint8_t sha256[] = {0xc5, 0xe4, 0x78, 0xd5, 0x92, 0x88, 0xc8, 0x41,
					 0xaa, 0x53, 0x0d, 0xb6, 0x84, 0x5c, 0x4c, 0x8d,
					 0x96, 0x28, 0x93, 0xa0, 0x01, 0xce, 0x4e, 0x11,
					 0xa4, 0x96, 0x38, 0x73, 0xaa, 0x98, 0x13, 0x4a};
	uint8_t out[32];

	(void)state;
	assert_int_equal(derive("sha1", 4096, out, 20), 0);
	assert_memory_equal(out, sha1, sizeof(sha1));
	assert_int_equal(derive("sha256", 4096, out, 32), 0);
	assert_memory_equal(out, sha256, sizeof(sha256));
	assert_int_equal(derive("rot13", 1, out, 20), -ERROR_UNKNOWN_HASH);
	assert_non_null(strstr(luks_derive_why(), "digest 0: OpenSSL here has no hash \"rot13\""));
}

static void a_digest_is_given_up(void **state)
{
	struct luks_derive_policy p = {.timeout_usec = SECOND / 5, .stop_fd = eventfd(0, 0)};
	const uint64_t begin = now_usec();
	uint8_t out[32];

	(void)state;
	luks_derive_set_policy(&p);
	assert_int_equal(derive("sha256", ENDLESS, out, sizeof(out)), -ETIMEDOUT);
	assert_in_range(now_usec() - begin, SECOND / 5, 10 * SECOND);
	assert_non_null(strstr(luks_derive_why(), "KeyTimeout="));
	assert_int_equal(eventfd_write(p.stop_fd, 1), 0);
	p.timeout_usec = 0;
	luks_derive_set_policy(&p);
	assert_int_equal(derive("sha256", ENDLESS, out, sizeof(out)), -ECANCELED);
	assert_non_null(strstr(luks_derive_why(), "interrupted"));
	/* One that takes no time has its result. */
	assert_int_equal(derive("sha256", 1000, out, sizeof(out)), 0);
	assert_int_equal(derive("sha256", UINT32_MAX, out, sizeof(out)), -ERROR_COST_TOO_HIGH);
	(void)close(p.stop_fd);
	p.stop_fd = -1;
	luks_derive_set_policy(&p);
	luks_derive_set_deadline(now_usec());
	assert_int_equal(derive("sha256", ENDLESS, out, sizeof(out)), -ETIMEDOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cryptsetup_makes_is_allowed),
		cmocka_unit_test(what_is_above_a_limit_is_refused_with_its_name),
		cmocka_unit_test(sizes_that_cannot_be_are_refused),
		cmocka_unit_test(what_cannot_be_derived_is_refused),
		cmocka_unit_test(more_memory_than_there_is_is_refused),
		cmocka_unit_test(pbkdf2_is_as_published),
		cmocka_unit_test(a_digest_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
