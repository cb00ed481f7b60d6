/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/bus/log-control.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "daemon/bus/bus-internal.h"
#include "util/checked.h"
#include "util/log.h"
#include "util/text.h"

#define PATH      "/org/freedesktop/LogControl1"
#define INTERFACE "org.freedesktop.LogControl1"

/* By syslog's numbers. */
static const char *const levels[] = {"emerg",   "alert",  "crit", "err",
				     "warning", "notice", "info", "debug"};

DEFINE_GETTER(get_level)
{
	const int level = log_level();

	assert(level >= 0 && (size_t)level < ARRAY_SIZE(levels));
	return sd_bus_message_append(reply, "s", levels[level]);
}

/* @reply is the value to be set. */
DEFINE_GETTER(set_level)
{
	const char *name;
	char text[64];
	int r = sd_bus_message_read(reply, "s", &name);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (strcmp(levels[i], name) == 0) {
			log_set_level((int)i);
			return 0;
		}
	(void)text_format(text, sizeof(text), "no such log level: %.32s", name);
	return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, text);
}

DEFINE_GETTER(get_target)
{
	return sd_bus_message_append(reply, "s", log_to_journal() ? "journal" : "console");
}

DEFINE_GETTER(set_target)
{
	const char *name;
	int r = sd_bus_message_read(reply, "s", &name);

	if (r < 0)
		return r;
	if (strcmp(name, "journal") != 0 && strcmp(name, "console") != 0 &&
	    strcmp(name, "auto") != 0)
		return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
					 "the log target must be journal, console or auto");
	log_set_target(name);
	return 0;
}

DEFINE_GETTER(get_identifier)
{
	return sd_bus_message_append(reply, "s", "recryptd");
}

/* Written by the superuser only; sd-bus sees to that. */
static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", get_level, set_level, 0, 0),
	SD_BUS_WRITABLE_PROPERTY("LogTarget", "s", get_target, set_target, 0, 0),
	SD_BUS_PROPERTY("SyslogIdentifier", "s", get_identifier, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_VTABLE_END,
};

int log_control_add(sd_bus *bus)
{
	return sd_bus_add_object_vtable(bus, NULL, PATH, INTERFACE, vtable, NULL);
}
