/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The options of Rotate(), Check(), Resume() and Cancel(): the command line fills the model's
 * structs (cli/options-table.c), and their rows say what is sent.
 */
#include <errno.h>
#include <time.h>

#include "ctl/verbs.h"
#include "daemon/policy/deadline.h"
#include "model/settings-bus.h"
#include "util/log.h"

/* A span or a time, both from now on. */
static int find_deadline(const char *text, uint64_t *ret)
{
	struct deadline d;
	struct timespec now;

	if (deadline_parse(text, &d) < 0 || !d.set)
		return log_refusal(-EINVAL,
				   "\"%s\" is not a deadline (such as 12h, 3d, 2026-12-01 06:00)",
				   text);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	*ret = deadline_at(&d, (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	return 0;
}

static int append_dictionary(sd_bus_message *m, const struct setting *rows, const void *values,
			     const struct run_options *run)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r < 0)
		return r;
	r = settings_append_entries(m, rows, values, SETTING_OF_CALLER);
	if (r < 0)
		return r;
	r = settings_append_entries(m, run_settings, run, SETTING_OF_RUN);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int append_rotation(sd_bus_message *m, const struct options *o)
{
	struct rotate_options z = o->rotation;
	int r = o->daemon.deadline ? find_deadline(o->daemon.deadline, &z.deadline_usec) : 0;

	if (r < 0)
		return r;
	r = append_dictionary(m, rotation_settings, &z, &o->run);
	return r < 0 ? log_error_errno(r, "the options cannot be sent") : r;
}

int append_resume(sd_bus_message *m, const struct options *o)
{
	const struct resume_options z = {.now = o->daemon.now};

	return append_dictionary(m, resume_settings, &z, &o->run);
}
