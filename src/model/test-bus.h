/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For tests of what is sent: messages of a real connection, which are only filled and read. */
#pragma once

#include <systemd/sd-bus.h>

/* Fixtures of a group of tests. */
int test_bus_connect(void **state);
int test_bus_disconnect(void **state);

/* One that is to be filled; then seal it, and it is read from its start. */
sd_bus_message *test_message_new(void);
void test_message_seal(sd_bus_message *m);
