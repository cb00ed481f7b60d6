/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/control/events.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* The file and line of this function would say nothing. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/control/volume.h"
#include "util/log.h"
#include "util/text.h"

void event_volume(const struct volume *v, const char *id, int level, const char *format, ...)
{
	char name[256], text[1024];
	va_list ap;

	assert(strlen(id) == 32 && level >= LOG_EMERG && level <= LOG_DEBUG);
	va_start(ap, format);
	(void)text_vformat(text, sizeof(text), format, ap);
	va_end(ap);
	text_mask(text);
	(void)text_copy(name, sizeof(name), *v->place.name ? v->place.name : v->place.device);
	text_mask(name);
	if (getenv("JOURNAL_STREAM") &&
	    sd_journal_send("MESSAGE=%s: %s", name, text, "PRIORITY=%d", level, "MESSAGE_ID=%s", id,
			    "VOLUME=%s", name, "VOLUME_UUID=%s", v->uuid, "DEVICE=%s",
			    v->place.device, NULL) >= 0)
		return;
	log_message(level, "%s: %s", name, text);
}
