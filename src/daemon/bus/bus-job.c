/* SPDX-License-Identifier: GPL-3.0-or-later */
/* org.recryptd1.Job: its vtable and its one verb. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bus/bus-call.h"
#include "daemon/bus/bus-internal.h"
#include "daemon/bus/bus-options.h"
#include "model/properties.h"
#include "util/checked.h"
#include "util/error.h"

static int find_job(sd_bus *bus, const char *path, const char *interface, void *userdata,
		    void **ret, sd_bus_error *error)
{
	struct bus *b = userdata;

	(void)bus;
	(void)interface;
	(void)error;
	*ret = b->manager ? (void *)job_at(b, path) : b;
	return *ret ? 1 : 0;
}

/* --- the verb --- */

static int parse_cancel(sd_bus_message *m, struct arguments *a, struct failure *f)
{
	return read_cancel_options(m, &a->cancel, &a->request, f);
}

static int run_cancel(struct call *c, const struct arguments *a, struct failure *f)
{
	struct job *j = job_at(c->bus, sd_bus_message_get_path(c->message)), *unused;
	bool any = false;

	if (!j)
		return failure_set(f, -ENODEV, "the job is not known any more");
	if (job_ended(j))
		return failure_set(f, -ERROR_NO_ROTATION, "the job has ended");
	for (size_t i = 0; i < j->n_members; i++) {
		const struct job_member *member = &j->members[i];
		int r;

		if (!member->volume || member->ended)
			continue;
		any = true;
		r = volume_cancel(member->volume, &a->cancel, f, &unused);
		if (r < 0)
			return r;
	}
	if (!any)
		return failure_set(f, -ENODEV,
				   "none of the volumes of the job has been found "
				   "since the daemon began");
	call_reply(c);
	return 0;
}

static const struct verb cancel = {"Cancel", "org.recryptd1.cancel", parse_cancel, run_cancel};

static int on_cancel(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const struct job *j = userdata;

	assert(j->bus_slot);
	return call_begin(j->bus_slot, m, &cancel, error);
}

/* --- properties --- */

DEFINE_GETTER(get_kind)
{
	const struct job *j = userdata;

	return sd_bus_message_append(reply, "s", job_kind_name(j->kind));
}

DEFINE_GETTER(get_state)
{
	const struct job *j = userdata;

	return sd_bus_message_append(reply, "s", job_state_name(j->state));
}

DEFINE_GETTER(get_volume)
{
	return sd_bus_message_append(reply, "o", job_volume_path(userdata).text);
}

static int append_member(sd_bus_message *m, const struct job_member *member)
{
	int r;

	r = sd_bus_message_open_container(m, 'r', "obss");
	if (r < 0)
		return r;
	r = sd_bus_message_append(m, "ob", volume_path(member->uuid).text, member->ended);
	if (r < 0)
		return r;
	r = append_error_name(m, member->error, &member->failure);
	if (r < 0)
		return r;
	r = bus_append_text(m, member->error ? member->failure.text : "");
	return r < 0 ? r : sd_bus_message_close_container(m);
}

DEFINE_GETTER(get_members)
{
	const struct job *j = userdata;
	int r = sd_bus_message_open_container(reply, 'a', "(obss)");

	for (size_t i = 0; r >= 0 && i < j->n_members; i++)
		r = append_member(reply, &j->members[i]);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

DEFINE_GETTER(get_error)
{
	const struct job *j = userdata;

	return append_error_name(reply, j->error, &j->failure);
}

DEFINE_GETTER(get_request_id)
{
	const struct job *j = userdata;
	const struct accepted_call *call = accepted_of_job(&j->jobs->accepted, j->id);

	return sd_bus_message_append(reply, "s", call ? call->id.text : "");
}

DEFINE_GETTER(get_caller_uid)
{
	const struct job *j = userdata;

	return sd_bus_message_append(reply, "u", j->caller.known ? j->caller.uid : CALLER_NOBODY);
}

DEFINE_GETTER(get_message)
{
	const struct job *j = userdata;

	return bus_append_text(reply, j->error ? j->failure.text : "");
}

#define NUMBER(field)     NULL, offsetof(struct job, field)
#define GETTER(get)       get, 0
#define JOB_CHANGED_NEVER 0
#define JOB_CHANGED_ANY   1

#define PROPERTY(name, type, group, from, ...)                                                     \
	PROPERTY_OF(name, type, from, PROPERTY_FLAGS(JOB_CHANGED_##group)),

/* clang-format off */
static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_ARGS("a{sv}", options),
		SD_BUS_NO_RESULT, on_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
	JOB_PROPERTIES(PROPERTY)
	SD_BUS_VTABLE_END,
};
/* clang-format on */

DEFINE_ENUMERATOR(list_job_paths)
{
	const struct manager *m = ((struct bus *)userdata)->manager;
	struct path_list l = {};

	for (const struct job *j = m ? m->jobs.first : NULL; j; j = j->next) {
		const struct object_path path = job_path(j);

		path_list_add(&l, &path);
	}
	return path_list_end(&l, ret);
}

int bus_add_jobs(struct bus *b, sd_bus *bus)
{
	int r;

	r = sd_bus_add_fallback_vtable(bus, NULL, BUS_JOB_PREFIX, BUS_JOB_INTERFACE, vtable,
				       find_job, b);
	return r < 0 ? r : sd_bus_add_node_enumerator(bus, NULL, BUS_JOB_PREFIX, list_job_paths, b);
}

#define ANNOUNCED(name, type, group, ...) JOB_CHANGED_##group ? name : NULL,

void job_emit(struct bus *b, const struct job *j)
{
	static const char *const properties[] = {JOB_PROPERTIES(ANNOUNCED)};
	const char *names[ARRAY_SIZE(properties) + 1];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(properties); i++)
		if (properties[i])
			names[n++] = properties[i];
	names[n] = NULL;
	told(b, sd_bus_emit_properties_changed_strv(b->bus, job_path(j).text, BUS_JOB_INTERFACE,
						    (void *)names));
}
