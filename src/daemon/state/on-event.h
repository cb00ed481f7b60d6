/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * OnEvent= of the configuration: what is started when something has happened to a volume.
 *
 *   none              nothing
 *   unit:NAME@.service   this unit, with EVENT:UUID as its instance
 *   /PATH             this program, in a unit of its own
 */
#pragma once

#include <stdbool.h>

#define ON_EVENT_UNIT "unit:"
#define ON_EVENT_NONE "none"

/* One of these, or "". -EINVAL. */
int on_event_check(const char *value);

/* A unit, and not a program. */
bool on_event_is_unit(const char *value);
