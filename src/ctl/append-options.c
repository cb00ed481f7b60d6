/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The options of Rotate(), Check(), Resume() and Cancel(), from those of the command line: a row of
 * model/settings.h names the option that says it, and the row of that option in cli/options-table.h
 * tells where its value is.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "cli/options-table.h"
#include "ctl/verbs.h"
#include "daemon/policy/deadline.h"
#include "model/settings-bus.h"
#include "util/checked.h"
#include "util/log.h"

static const char *const resilience_names[] = {
	[RESILIENCE_UNSET] = NULL,
	[RESILIENCE_CHECKSUM] = "checksum",
	[RESILIENCE_JOURNAL] = "journal",
};

static const struct option_spec *find_option(const char *name)
{
	const struct option_spec *spec = option_specs;

	while (spec->name && strcmp(spec->name, name) != 0)
		spec++;
	assert(spec->name);
	return spec;
}

/* How struct options holds the value of @spec, to be sent as @name. */
static struct setting held_as(const struct option_spec *spec, const char *name)
{
	struct setting held = {.name = name, .where = spec->where};

	switch (spec->kind) {
	case KIND_FLAG:
		held.kind = SETTING_BOOL;
		return held;
	case KIND_STRING:
		held.kind = SETTING_TEXT;
		return held;
	case KIND_U32:
	case KIND_BITS:
		held.kind = SETTING_U32;
		return held;
	case KIND_KEYSLOT:
		held.kind = SETTING_INT;
		return held;
	case KIND_RESILIENCE:
		held.kind = SETTING_NAME;
		held.names = resilience_names;
		held.size = ARRAY_SIZE(resilience_names);
		return held;
	case KIND_U64:
	case KIND_SIZE:
	case KIND_RATE:
	case KIND_TOKEN:
	case KIND_JSON:
	case KIND_REFUSED_FLAG:
	case KIND_REFUSED_VALUE:
	case KIND_IGNORED_FLAG:
	case KIND_IGNORED_VALUE:
		break;
	}
	assert(false); /* no setting of a rotation is given so */
	return held;
}

_Static_assert(OPTION_ANY_KEYSLOT < 0, "it is not sent");

/* A span or a time, both from now on. */
static int append_time(sd_bus_message *m, const struct setting *s, const char *text)
{
	struct deadline d;
	struct timespec now;
	uint64_t usec;

	if (!text)
		return 0;
	if (deadline_parse(text, &d) < 0 || !d.set)
		return log_refusal(-EINVAL,
				   "\"%s\" is not a deadline (such as 12h, 3d, 2026-12-01 06:00)",
				   text);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	usec = deadline_at(&d, (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	return sd_bus_message_append(m, "{sv}", s->name, "t", usec);
}

static int append_setting(sd_bus_message *m, const struct setting *s, const struct options *o)
{
	const struct option_spec *spec = find_option(s->option);
	const struct setting rows[] = {held_as(spec, s->name), {}};

	if (s->kind == SETTING_U64)
		return append_time(m, s, *(const char *const *)((const char *)o + spec->where));
	return settings_append_entries(m, rows, o, SETTINGS_EVERYWHERE);
}

static int append_settings(sd_bus_message *m, const struct setting *rows, const struct options *o)
{
	for (const struct setting *s = rows; s->name; s++) {
		int r = s->option ? append_setting(m, s, o) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static int append_dictionary(sd_bus_message *m, const struct setting *rows, const struct options *o)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r < 0)
		return r;
	r = append_settings(m, rows, o);
	if (r < 0)
		return r;
	r = append_settings(m, choice_settings, o);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int append_rotation(sd_bus_message *m, const struct options *o)
{
	int r = append_dictionary(m, rotation_settings, o);

	return r < 0 && r != -EINVAL ? log_error_errno(r, "the options cannot be sent") : r;
}

int append_resume(sd_bus_message *m, const struct options *o)
{
	return append_dictionary(m, resume_settings, o);
}
