/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How text from outside gets into a message of D-Bus. sd-bus refuses a string that is not valid
 * UTF-8, and whoever passes that error on loses the connection, or leaves a call unanswered.
 */
#pragma once

#include <systemd/sd-bus.h>

/* Appends a string with each byte that is not valid as "?" (util/text.h). NULL is "". */
int bus_append_text(sd_bus_message *m, const char *text);
