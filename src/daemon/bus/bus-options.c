/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/bus/bus-options.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "model/settings-bus.h"

#define REASON_MAX 255 /* bytes */

const struct setting no_settings[] = {{}};

static int read_parts(sd_bus_message *m, const struct settings_part *parts, unsigned place,
		      struct failure *f)
{
	char problem[sizeof(f->text)] = "the options cannot be read";
	int r = settings_read(m, parts, place, problem, sizeof(problem));

	return r < 0 ? failure_set(f, -EINVAL, "%s", problem) : 0;
}

int read_options(sd_bus_message *m, const struct setting *rows, void *out, struct failure *f)
{
	const struct settings_part parts[] = {{rows, out}, {}};

	return read_parts(m, parts, SETTINGS_EVERYWHERE, f);
}

static const struct setting request_settings[] = {
	{.name = "RequestId", .kind = SETTING_BUFFER, .size = sizeof(struct request_id)},
	{},
};

/* @parts has a place for RequestId at @i, its end if there is no @id. */
static int read_with_id(sd_bus_message *m, struct settings_part *parts, size_t i, unsigned place,
			struct request_id *id, struct failure *f)
{
	int r;

	if (id) {
		*id = (struct request_id){};
		parts[i] = (struct settings_part){request_settings, id};
	}
	r = read_parts(m, parts, place, f);
	return r < 0 || !id ? r : request_id_check(id, f);
}

int read_request_id(sd_bus_message *m, struct request_id *id, struct failure *f)
{
	struct settings_part parts[2] = {};

	return read_with_id(m, parts, 0, SETTINGS_EVERYWHERE, id, f);
}

int read_rotate_options(sd_bus_message *m, struct rotate_options *out, struct request_id *id,
			struct failure *f)
{
	struct settings_part parts[4] = {{rotation_settings, out}, {choice_settings, &out->run}};

	*out = (struct rotate_options)ROTATE_OPTIONS_NONE;
	out->may_weaken = true; /* polkit allowed the caller to choose the cipher and the costs */
	return read_with_id(m, parts, 2, SETTING_OF_CALLER, id, f);
}

int read_resume_options(sd_bus_message *m, struct resume_options *out, struct request_id *id,
			struct failure *f)
{
	struct settings_part parts[4] = {{resume_settings, out}, {choice_settings, &out->run}};

	*out = (struct resume_options){};
	return read_with_id(m, parts, 2, SETTINGS_EVERYWHERE, id, f);
}

int read_cancel_options(sd_bus_message *m, struct run_choices *out, struct request_id *id,
			struct failure *f)
{
	struct settings_part parts[3] = {{choice_settings, out}};

	*out = (struct run_choices){};
	return read_with_id(m, parts, 1, SETTINGS_EVERYWHERE, id, f);
}

int read_arguments(sd_bus_message *m, struct failure *f, const char *types, ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = sd_bus_message_readv(m, types, ap);
	va_end(ap);
	return r < 0 ? failure_set(f, -EINVAL, "the arguments cannot be read") : 0;
}

int read_reason(sd_bus_message *m, struct failure *f, const char **ret)
{
	int r = read_arguments(m, f, "s", ret);

	if (r < 0)
		return r;
	return strlen(*ret) <= REASON_MAX
		       ? 0
		       : failure_set(f, -EINVAL, "the reason is longer than %d bytes", REASON_MAX);
}

int append_rotate_options(sd_bus_message *m, const struct rotate_options *o)
{
	const struct settings_source sources[] = {
		{o ? rotation_settings : NULL, o}, {choice_settings, o ? &o->run : NULL}, {}};

	return settings_append(m, sources, SETTING_OF_CALLER);
}
