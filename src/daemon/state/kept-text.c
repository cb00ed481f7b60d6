/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/kept-text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/json-members.h"
#include "proto/error-name.h"
#include "util/cleanup.h"
#include "util/uuid.h"

#define MEMBERS_MAX 4096U /* of a job that is read */

static void cleanup_json(json_object **o)
{
	(void)json_object_put(*o);
}

/* --- writing --- */

static int put_failure(json_object *o, int error, const struct failure *f)
{
	int r;

	if (error == 0)
		return 0;
	r = json_put_text(o, "error", *f->name ? f->name : error_name(error));
	return r < 0 ? r : json_put_text(o, "message", f->text);
}

static int format_member(const struct job_member *m, json_object *o)
{
	int r = json_put_text(o, "uuid", m->uuid);

	if (r < 0)
		return r;
	r = json_put_bool(o, "ended", m->ended);
	return r < 0 ? r : put_failure(o, m->error, &m->failure);
}

/* Appends a new object. NULL: out of memory. */
static json_object *append_object(json_object *array)
{
	json_object *o = json_object_new_object();

	if (o && json_object_array_add(array, o) == 0)
		return o;
	(void)json_object_put(o);
	return NULL;
}

static int format_members(const struct job *j, json_object *array)
{
	for (size_t i = 0; i < j->n_members; i++) {
		json_object *o = append_object(array);

		if (!o || format_member(&j->members[i], o) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* A new array of @o. NULL: out of memory. */
static json_object *put_array(json_object *o, const char *name)
{
	json_object *array = json_object_new_array();

	return json_put(o, name, array) < 0 ? NULL : array;
}

static int format_job(const struct job *j, json_object *o)
{
	json_object *members = put_array(o, "members");

	if (!members || json_put_number(o, "id", j->id) < 0 ||
	    json_put_text(o, "kind", job_kind_name(j->kind)) < 0 ||
	    json_put_text(o, "state", job_state_name(j->state)) < 0 ||
	    json_put_number(o, "created", j->created_usec) < 0 ||
	    json_put_number(o, "started", j->started_usec) < 0 ||
	    json_put_number(o, "ended", j->ended_usec) < 0 || caller_to_json(&j->caller, o) < 0 ||
	    json_put_number(o, "bytes", j->bytes) < 0 || put_failure(o, j->error, &j->failure) < 0)
		return -ENOMEM;
	return format_members(j, members);
}

static int format_call(const struct accepted_call *c, json_object *o)
{
	return json_put_text(o, "id", c->id.text) < 0 || json_put_text(o, "verb", c->verb) < 0 ||
			       json_put_text(o, "object", c->object) < 0 ||
			       json_put_number(o, "job", c->job) < 0 ||
			       json_put_number(o, "time", c->usec) < 0
		       ? -ENOMEM
		       : 0;
}

static int format_jobs(const struct jobs *jobs, json_object *array)
{
	for (const struct job *j = jobs->first; j; j = j->next) {
		json_object *o = append_object(array);

		if (!o || format_job(j, o) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int format_calls(const struct accepted_calls *a, json_object *array)
{
	for (size_t i = 0; i < a->n; i++) {
		json_object *o = append_object(array);

		if (!o || format_call(&a->calls[i], o) < 0)
			return -ENOMEM;
	}
	return 0;
}

int kept_format(const struct jobs *jobs, char **ret)
{
	_cleanup_(cleanup_json) json_object *o = json_object_new_object();
	json_object *array = o ? put_array(o, "jobs") : NULL;
	const char *text;

	if (!array || format_jobs(jobs, array) < 0)
		return -ENOMEM;
	array = put_array(o, "calls");
	if (!array || format_calls(&jobs->accepted, array) < 0)
		return -ENOMEM;
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	*ret = text ? strdup(text) : NULL;
	return *ret ? 0 : -ENOMEM;
}

/* --- reading --- */

/* The number of the name, or @n. */
static unsigned number_of(const char *name, const char *(*name_of)(unsigned), unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(name_of(i), name) == 0)
			return i;
	return n;
}

static const char *kind_name(unsigned i)
{
	return job_kind_name(i);
}

static const char *state_name(unsigned i)
{
	return job_state_name(i);
}

static int get_failure(json_object *o, struct failure *f)
{
	int error;

	json_get_text(o, "error", f->name, sizeof(f->name));
	json_get_text(o, "message", f->text, sizeof(f->text));
	if (!*f->name)
		return 0;
	error = error_of_name(f->name);
	return error < 0 ? error : -EIO;
}

static int parse_member(json_object *o, struct job_member *ret)
{
	char uuid[64];

	json_get_text(o, "uuid", uuid, sizeof(uuid));
	ret->ended = json_get_bool(o, "ended");
	ret->error = get_failure(o, &ret->failure);
	return uuid_canonical(uuid, ret->uuid) < 0 ? -EBADMSG : 0;
}

static int parse_members(json_object *array, struct job_member **ret, size_t *ret_n)
{
	const size_t n = array ? json_object_array_length(array) : 0;
	_cleanup_free_ struct job_member *all = NULL;

	if (n == 0 || n > MEMBERS_MAX)
		return -EBADMSG;
	all = calloc(n, sizeof(*all));
	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int r = parse_member(json_object_array_get_idx(array, i), &all[i]);

		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(all);
	*ret_n = n;
	return 0;
}

static int parse_head(json_object *o, struct job *ret)
{
	char kind[16], state[16];

	json_get_text(o, "kind", kind, sizeof(kind));
	json_get_text(o, "state", state, sizeof(state));
	ret->id = json_get_number(o, "id");
	ret->kind = number_of(kind, kind_name, JOB_KIND_COUNT);
	ret->state = number_of(state, state_name, JOB_STATE_COUNT);
	ret->created_usec = json_get_number(o, "created");
	ret->started_usec = json_get_number(o, "started");
	ret->ended_usec = json_get_number(o, "ended");
	ret->error = get_failure(o, &ret->failure);
	ret->caller = caller_from_json(o);
	ret->bytes = json_get_number(o, "bytes");
	return ret->id == 0 || ret->kind == JOB_KIND_COUNT || ret->state == JOB_STATE_COUNT
		       ? -EBADMSG
		       : 0;
}

/* A job has ended when all its members have. */
static bool is_consistent(const struct job *j)
{
	size_t ended = 0;

	for (size_t i = 0; i < j->n_members; i++)
		ended += j->members[i].ended;
	return job_ended(j) == (ended == j->n_members);
}

static int parse_job(struct jobs *jobs, json_object *o)
{
	_cleanup_free_ struct job_member *members = NULL;
	struct job j = {};
	int r = parse_head(o, &j);

	if (r < 0)
		return r;
	r = parse_members(json_member(o, "members", json_type_array), &members, &j.n_members);
	if (r < 0)
		return r;
	j.members = members;
	return is_consistent(&j) ? job_restore(jobs, &j) : -EBADMSG;
}

static bool has_job(const struct jobs *jobs, uint64_t id)
{
	for (const struct job *j = jobs->first; j; j = j->next)
		if (j->id == id)
			return true;
	return id == 0;
}

static int parse_call(struct jobs *jobs, json_object *o)
{
	struct accepted_call c = {};
	struct failure f;

	json_get_text(o, "id", c.id.text, sizeof(c.id.text));
	json_get_text(o, "verb", c.verb, sizeof(c.verb));
	json_get_text(o, "object", c.object, sizeof(c.object));
	c.job = json_get_number(o, "job");
	c.usec = json_get_number(o, "time");
	if (!*c.id.text || request_id_check(&c.id, &f) < 0 || !has_job(jobs, c.job) ||
	    accepted_find(&jobs->accepted, &c.id))
		return -EBADMSG;
	return accepted_add(&jobs->accepted, &c);
}

/* Each entry by itself. */
static int parse_array(struct jobs *jobs, json_object *array,
		       int (*parse)(struct jobs *jobs, json_object *o))
{
	const size_t n = array ? json_object_array_length(array) : 0;

	for (size_t i = 0; i < n; i++)
		if (parse(jobs, json_object_array_get_idx(array, i)) == -ENOMEM)
			return -ENOMEM;
	return 0;
}

int kept_parse(struct jobs *jobs, const char *text)
{
	_cleanup_(cleanup_json) json_object *o = json_tokener_parse(text);
	int r;

	if (!json_object_is_type(o, json_type_object))
		return -EBADMSG;
	r = parse_array(jobs, json_member(o, "jobs", json_type_array), parse_job);
	return r < 0 ? r : parse_array(jobs, json_member(o, "calls", json_type_array), parse_call);
}
