/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "refuse" and "refuse-stacked": what is not as the header says is refused. */
#include <errno.h>
#include <string.h>

#include "dm/vm-test-stack.h"
#include "util/error.h"

static void expect_error(const struct stack_config *c, const struct stack_position *p, int error,
			 const char *what)
{
	struct stack *s = NULL;
	int r = stack_new(c, p, &s);

	if (r != error || s)
		FATAL("%s: %s instead of %s", what, strerror(-r), strerror(-error));
}

/* Whatever is not as the header says is refused; the caller sees that no table has changed. */
void run_refuse(void)
{
	const struct stack_config right = make_config();
	const struct stack_position clean = shared->position;
	const struct stack_position hot = {
		.boundary = clean.boundary,
		.hotzone_size = HOTZONE,
	};
	const struct stack_position elsewhere = {.boundary = volume_size / 2};
	struct stack_config c;

	expect_error(&right, &hot, -EUNATCH, "a hotzone that nobody froze");
	expect_error(&right, &elsewhere, -ENOTUNIQ, "another boundary");
	c = right;
	c.old_side.digest++;
	c.old_side.key = right.new_side.key;
	expect_error(&c, &clean, -ERROR_OTHER_KEY, "another key");
	c = right;
	c.data_offset += BLOCK;
	expect_error(&c, &clean, -ENOTUNIQ, "another offset");
	c = right;
	c.size -= BLOCK;
	expect_error(&c, &clean, -ENOTUNIQ, "another size");
	c = right;
	c.old_side.cipher = "aes-cbc-essiv:sha256";
	expect_error(&c, &clean, -ENOTUNIQ, "another cipher");
	c = right;
	c.data_device = 0;
	expect_error(&c, &clean, -ENOTBLK, "no block device");
	c = right;
	c.data_device = device_number("/dev/ubda");
	expect_error(&c, &clean, -ENOTUNIQ, "another device");
	c = right;
	c.uuid = "00000000-0000-0000-0000-000000000000";
	expect_error(&c, &clean, -ENOTUNIQ, "another volume");
	c = right;
	c.name = "no-such-volume";
	expect_error(&c, &clean, -ENODEV, "no volume");
	c.name = "../vol";
	expect_error(&c, &clean, -EINVAL, "a hostile name");
	drop_keys();
}

/* NAME has a stack, at rest. */
void run_refuse_stacked(void)
{
	const struct stack_config right = make_config();
	const struct stack_position hot = {
		.boundary = shared->position.boundary,
		.hotzone_size = HOTZONE,
	};
	struct stack_config c = right;

	expect_error(&right, &hot, -EUNATCH, "a hotzone that is not frozen");
	c.new_side.key = right.old_side.key;
	c.new_side.digest += 5;
	expect_error(&c, &shared->position, -ENOTUNIQ, "a helper with another key");
	drop_keys();
}
