/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an operator acts on, one line of the journal each. Ids are of systemd/recryptd.catalog,
 * which says more of them and names the fields VOLUME (name or device) and VOLUME_UUID.
 */
#pragma once

#define EVENT_ROTATION_STARTED    "970a1712c0e3421aa0ab5d84a739bf48"
#define EVENT_ROTATION_SUSPENDED  "7ac7f30fe33b468182fbf30fa8b5a9f3"
#define EVENT_ROTATION_RESUMED    "54395b6eb5dd4197870b8f88cac75c80"
#define EVENT_ROTATION_CANCELLED  "0ddb59e0e27a4e0db6560840d9f5d13f"
#define EVENT_ROTATION_FINISHED   "c805a81d37cf4d0c80d05da4a68332d1"
#define EVENT_ROTATION_FAILED     "203541e1b5444f5d97b8c8daccb6f121"
#define EVENT_VOLUME_LOCKED       "bcfdc1db189c41dbba3507a571ef77a7"
#define EVENT_HOTZONE_FROZEN_LONG "9804e0e6b1974ee78e6d0e4c79b9a6fa"
#define EVENT_DEADLINE_AT_RISK    "e96a10d49e1a44ce9d85e51feb72cbc9"

struct volume;

/*
 * One line of the journal with @id and the volume's fields; on standard error where that is no
 * journal. The text is put behind the volume's name.
 */
void event_volume(const struct volume *v, const char *id, int level, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
