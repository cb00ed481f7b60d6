/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Appends text from outside to a D-Bus message. sd-bus refuses a string that is not valid UTF-8. A
 * caller that returned this error would lose the connection, or leave a call unanswered.
 */
#pragma once

#include <systemd/sd-bus.h>

/* Appends a string with each byte that is not valid as "?" (util/text.h). NULL is "". */
int bus_append_text(sd_bus_message *m, const char *text);
