/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/bus-text.h"

#include <errno.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/text.h"

int bus_append_text(sd_bus_message *m, const char *text)
{
	_cleanup_free_ char *copy = strdup(text ?: "");

	if (!copy)
		return -ENOMEM;
	text_make_valid(copy);
	return sd_bus_message_append_basic(m, 's', copy);
}
