/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/test-bus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <cmocka.h>

/* Nobody answers on it. */
static sd_bus *bus;

int test_bus_connect(void **state)
{
	int fds[2];

	(void)state;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0 &&
			       sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, fds[0], fds[0]) >= 0 &&
			       sd_bus_start(bus) >= 0
		       ? 0
		       : -1;
}

int test_bus_disconnect(void **state)
{
	(void)state;
	sd_bus_close_unref(bus);
	return 0;
}

sd_bus_message *test_message_new(void)
{
	sd_bus_message *m;

	assert_true(sd_bus_message_new_method_call(bus, &m, "a.b", "/", "a.b", "C") >= 0);
	return m;
}

void test_message_seal(sd_bus_message *m)
{
	assert_true(sd_bus_message_seal(m, 1, 0) >= 0);
	assert_true(sd_bus_message_rewind(m, true) >= 0);
}
