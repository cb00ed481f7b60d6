/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/on-event.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define NAME_MAX_OF_UNIT 160U /* an event and a UUID have to fit in, too */

bool on_event_is_unit(const char *value)
{
	return strncmp(value, ON_EVENT_UNIT, strlen(ON_EVENT_UNIT)) == 0;
}

static bool is_template(const char *name)
{
	static const char end[] = "@.service";
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789:-_.\\";
	const size_t n = strlen(name);

	if (n <= strlen(end) || n > NAME_MAX_OF_UNIT || strcmp(name + n - strlen(end), end) != 0)
		return false;
	return strspn(name, allowed) == n - strlen(end);
}

int on_event_check(const char *value)
{
	if (on_event_is_unit(value))
		return is_template(value + strlen(ON_EVENT_UNIT)) ? 0 : -EINVAL;
	if (!*value || strcmp(value, ON_EVENT_NONE) == 0)
		return 0;
	return *value == '/' && strlen(value) < PATH_MAX ? 0 : -EINVAL;
}
