/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What recryptctl orders for a run in the foreground: each option that a row of the model names is
 * in the order when the command line has it. A row that is added is in this.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ctl/foreground.h"
#include "model/settings.h"
#include "util/checked.h"

/* What makes each of the options possible. */
static void fill(const char *option, const char *value, struct foreground_order *ret)
{
	const char *argv[16] = {"recryptctl",
				"reencrypt",
				"--header",
				"header",
				"--volume-key-file",
				"old",
				"--new-volume-key-file",
				"new",
				"--key-file",
				"key"};
	int argc = 10;
	struct options o;

	if (option)
		argv[argc++] = option;
	if (value)
		argv[argc++] = value;
	argv[argc++] = "image";
	assert_int_equal(options_parse(argc, (char **)(uintptr_t)argv, &o), 0);
	foreground_order_fill(&o, ret);
}

static const char *value_for(const struct setting *s)
{
	switch ((unsigned)s->kind) {
	case SETTING_BOOL:
		return NULL;
	case SETTING_U32:
	case SETTING_INT:
		return "7";
	case SETTING_U64:
		return "8M";
	default:
		return strcmp(s->option, "uuid") == 0 ? "12345678-1234-1234-1234-123456789abc"
						      : "text";
	}
}

static void each_option_is_in_the_order(void **state)
{
	struct foreground_order without, with;

	(void)state;
	fill(NULL, NULL, &without);
	for (const struct setting *s = foreground_settings; s->name; s++) {
		const size_t where = offsetof(struct foreground_order, foreground) + s->where;
		char option[64];

		if (!s->option)
			continue;
		(void)snprintf(option, sizeof(option), "--%s", s->option);
		fill(option, value_for(s), &with);
		if (memcmp((char *)&without + where, (char *)&with + where, s->size) == 0)
			fail_msg("--%s is not in the order", s->option);
	}
}

/* Both sizes are needed to tell which option was which. */
static void the_sizes_of_both_keys_are_told_apart(void **state)
{
	const char *argv[] = {"recryptctl",     "reencrypt", "--key-size", "256",
			      "--new-key-size", "512",       "image",      NULL};
	struct foreground_order order;
	struct options o;

	(void)state;
	assert_int_equal(options_parse(ARRAY_SIZE(argv) - 1, (char **)(uintptr_t)argv, &o), 0);
	foreground_order_fill(&o, &order);
	assert_int_equal(order.foreground.old_key_size, 32);
	assert_int_equal(order.rotation.key_size, 64);
	assert_true(order.foreground.both_key_sizes);
}

static void each_verb_is_its_own(void **state)
{
	static const struct {
		const char *name;
		enum foreground_verb verb;
	} verbs[] = {
		{"reencrypt", FOREGROUND_REENCRYPT},
		{"recover", FOREGROUND_RECOVER},
		{"cancel", FOREGROUND_CANCEL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		const char *argv[] = {"recryptctl", verbs[i].name, "--key-file",
				      "key",        "image",       NULL};
		struct foreground_order order;
		struct options o;

		assert_int_equal(options_parse(ARRAY_SIZE(argv) - 1, (char **)(uintptr_t)argv, &o),
				 0);
		foreground_order_fill(&o, &order);
		assert_int_equal(order.foreground.verb, verbs[i].verb);
		/* Tokens are not asked beside a key file, unless they are chosen. */
		assert_false(order.foreground.try_tokens);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_option_is_in_the_order),
		cmocka_unit_test(the_sizes_of_both_keys_are_told_apart),
		cmocka_unit_test(each_verb_is_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
