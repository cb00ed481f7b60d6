/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an operator acts on, one line of the journal each. Ids are of systemd/recryptd.catalog,
 * which says more of them, for people.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/state/caller.h"

#define EVENT_ROTATION_STARTED    "970a1712c0e3421aa0ab5d84a739bf48"
#define EVENT_ROTATION_SUSPENDED  "7ac7f30fe33b468182fbf30fa8b5a9f3"
#define EVENT_ROTATION_RESUMED    "54395b6eb5dd4197870b8f88cac75c80"
#define EVENT_ROTATION_CANCELLED  "0ddb59e0e27a4e0db6560840d9f5d13f"
#define EVENT_ROTATION_REVERSED   "750eb131a87a4c849b637ede6b2b01df"
#define EVENT_ROTATION_FINISHED   "c805a81d37cf4d0c80d05da4a68332d1"
#define EVENT_ROTATION_FAILED     "203541e1b5444f5d97b8c8daccb6f121"
#define EVENT_VOLUME_LOCKED       "bcfdc1db189c41dbba3507a571ef77a7"
#define EVENT_HOTZONE_FROZEN_LONG "9804e0e6b1974ee78e6d0e4c79b9a6fa"
#define EVENT_DEADLINE_AT_RISK    "e96a10d49e1a44ce9d85e51feb72cbc9"

struct volume;

struct event {
	const char *id; /* NULL: the catalog says nothing of it */
	int level;
	bool attention;                 /* a person has to decide; only for OnEvent= */
	const struct caller_id *caller; /* the caller; NULL: the caller of the volume's job */
	uint64_t bytes, usec;           /* of work; 0: not told */
};

/*
 * One line of the journal with the volume's fields (VOLUME, VOLUME_UUID, DEVICE, KEY_ID,
 * KEY_GENERATION) and the event's (BYTES, DURATION_USEC, CALLER_UID); on standard error where that
 * is no journal. The text is put behind the volume's name, and who asked for it behind the text.
 */
void event_volume(const struct volume *v, const struct event *e, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The text of a failure without the volume's name in front, which the line has. */
const char *event_cause(const struct volume *v, const char *text);
