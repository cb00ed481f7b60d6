/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/bus/bus-call.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/bus/polkit.h"
#include "proto/error-name.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/log.h"
#include "util/path-text.h"
#include "util/text.h"
#include "proto/service-bus.h"

/* Nobody is to be heard of any more where no call waits. */
static void update_leaving(struct bus *b)
{
	for (const struct call *c = b->calls; c; c = c->next)
		if (c->state != CALL_RUNS)
			return;
	b->leaving = sd_bus_slot_unref(b->leaving);
}

static struct call *call_free(struct call *c)
{
	if (!c)
		return NULL;
	if (c->next)
		c->next->previous = c->previous;
	assert(c->previous || c->bus->calls == c);
	if (c->previous)
		c->previous->next = c->next;
	else
		c->bus->calls = c->next;
	if (c->state == CALL_ASKS_POLKIT && c->slot)
		cancel_polkit(c->message, c->question);
	sd_bus_slot_unref(c->slot);
	sd_bus_message_unref(c->message);
	arguments_clear(&c->arguments);
	update_leaving(c->bus);
	free(c);
	return NULL;
}

void calls_drop_questions(struct bus *b)
{
	struct call *next;

	for (struct call *c = b->calls; c; c = next) {
		next = c->next;
		if (c->slot)
			call_free(c);
	}
}

void calls_free(struct bus *b)
{
	while (b->calls)
		call_free(b->calls);
}

/* --- answers --- */

int set_failure(sd_bus_error *ret, int error, const struct failure *f)
{
	char name[sizeof(BUS_ERROR_PREFIX) + sizeof(f->name)];
	bool told = *f->name;

	assert(error < 0);
	(void)snprintf(name, sizeof(name), BUS_ERROR_PREFIX "%s",
		       told ? f->name : error_name(error));
	(void)sd_bus_error_set(ret, name, told ? f->text : error_text(error));
	return error;
}

static int refuse(struct failure *f, const char *name, const char *text)
{
	(void)text_copy(f->name, sizeof(f->name), name);
	(void)text_copy(f->text, sizeof(f->text), text);
	return -EACCES;
}

/* An answer that cannot be sent concerns nobody: the caller, or the bus, is gone. */
static void sent(struct call *c, int r)
{
	if (r < 0)
		log_debug("the answer to %s of %s cannot be sent: %s", c->verb->member,
			  sd_bus_message_get_sender(c->message), error_text(r));
	call_free(c);
}

/* What is done because of it, or a job, is durable before its caller hears of it. */
static void keep_call(struct call *c, uint64_t job)
{
	struct manager *m = c->bus->manager;
	struct accepted_call call = {.id = c->request, .job = job, .usec = wall_clock_usec()};

	if (!*c->request.text || accepted_find(&m->jobs.accepted, &c->request))
		return;
	(void)text_copy(call.verb, sizeof(call.verb), c->verb->member);
	(void)text_copy(call.object, sizeof(call.object), sd_bus_message_get_path(c->message));
	if (accepted_add(&m->jobs.accepted, &call) < 0)
		log_warning("out of memory: the call %s is not kept", c->request.text);
	m->jobs.unsaved = true;
	manager_save_jobs(m);
}

void call_reply(struct call *c)
{
	assert(c->state == CALL_RUNS);
	keep_call(c, 0);
	sent(c, sd_bus_reply_method_return(c->message, NULL));
}

void call_reply_path(struct call *c, const char *path)
{
	assert(c->state == CALL_RUNS);
	sent(c, sd_bus_reply_method_return(c->message, "o", path));
}

void call_reply_job(struct call *c, const struct job *j)
{
	keep_call(c, j->id);
	call_reply_path(c, job_path(j).text);
}

void call_reply_failure(struct call *c, int error, const struct failure *f)
{
	_cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;

	(void)set_failure(&e, error, f);
	sent(c, sd_bus_reply_method_error(c->message, &e));
}

sd_bus_message *call_new_reply(struct call *c)
{
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(c->message, &reply);

	assert(c->state == CALL_RUNS);
	if (r < 0)
		sent(c, r);
	return reply;
}

void call_reply_message(struct call *c, sd_bus_message *reply, int error)
{
	sent(c, error < 0 ? error : sd_bus_send(NULL, reply, NULL));
}

void call_done(struct volume *v, int error, const struct failure *f, void *userdata)
{
	(void)v;
	if (error < 0)
		call_reply_failure(userdata, error, f);
	else
		call_reply(userdata);
}

/* --- on the way --- */

/* A call with this RequestId was accepted before. 0: none was. 1: it is answered now. */
static int answer_again(struct call *c, struct failure *f)
{
	const struct accepted_call *before =
		*c->request.text ? accepted_find(&c->bus->manager->jobs.accepted, &c->request)
				 : NULL;

	if (!before)
		return 0;
	if (strcmp(before->verb, c->verb->member) != 0 ||
	    strcmp(before->object, sd_bus_message_get_path(c->message)) != 0)
		return failure_set(f, -EINVAL, "RequestId \"%s\" is that of another call: %s of %s",
				   c->request.text, before->verb, before->object);
	if (before->job > 0)
		call_reply_path(c, job_path_of(before->job).text);
	else
		call_reply(c);
	return 1;
}

static int run_or_answer(struct call *c, const struct arguments *a, struct failure *f)
{
	struct jobs *jobs = &c->bus->manager->jobs;
	int r = answer_again(c, f);

	if (r != 0)
		return r;
	jobs->caller = (struct caller_id){.known = true, .uid = c->uid};
	r = c->verb->run(c, a, f);
	jobs->caller = (struct caller_id){};
	return r;
}

static void call_run(struct call *c)
{
	_cleanup_(arguments_clear) struct arguments a = c->arguments;
	struct failure f = {};
	int r;

	assert(c->state != CALL_RUNS);
	c->arguments = (struct arguments)ARGUMENTS_NONE;
	c->request = a.request;
	c->state = CALL_RUNS;
	c->slot = sd_bus_slot_unref(c->slot);
	update_leaving(c->bus);
	r = run_or_answer(c, &a, &f);
	if (r < 0)
		call_reply_failure(c, r, &f);
}

static void call_refuse(struct call *c, const char *why)
{
	struct failure f = {};
	char text[256];

	(void)snprintf(text, sizeof(text), "not authorized for %s: %s", c->verb->action, why);
	call_reply_failure(c, refuse(&f, BUS_ERROR_NOT_AUTHORIZED, text), &f);
}

static int on_polkit(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	struct call *c = userdata;
	const char *why;

	(void)error;
	c->slot = sd_bus_slot_unref(c->slot);
	switch (read_polkit(answer)) {
	case 0:
		call_run(c);
		return 0;
	case -EACCES:
		why = "polkit does not allow it";
		break;
	case -ENOKEY:
		why = "an administrator has to authenticate, and nobody could be asked; run it at "
		      "a terminal, or with sudo";
		break;
	case -ENOSYS:
		why = "polkit is not running here, so only root may do this; try sudo";
		break;
	case -ETIMEDOUT:
		cancel_polkit(c->message, c->question);
		why = "nobody has answered polkit in time";
		break;
	default:
		why = "polkit cannot be asked";
		break;
	}
	call_refuse(c, why);
	return 0;
}

static void refuse_limit(struct call *c, const char *text)
{
	struct failure f = {};
	int r = refuse(&f, BUS_ERROR_LIMITS_EXCEEDED, text);

	call_reply_failure(c, r, &f);
}

/* Calls of @uid that polkit is asked about. *ret_oldest (may be NULL) waits longest of them. */
static unsigned count_waiting(const struct bus *b, uid_t uid, struct call **ret_oldest)
{
	unsigned n = 0;

	for (struct call *c = b->calls; c; c = c->next)
		if (c->state == CALL_ASKS_POLKIT && c->uid == uid) {
			n++;
			if (ret_oldest)
				*ret_oldest = c;
		}
	return n;
}

/* Where all places are taken, the user that has most of them gives one up. */
static void make_room(struct bus *b)
{
	struct call *victim = NULL, *oldest = NULL;
	unsigned all = 0, most = 0;

	for (const struct call *c = b->calls; c; c = c->next)
		all += c->state == CALL_ASKS_POLKIT;
	if (all < CALLS_WAITING)
		return;
	for (const struct call *c = b->calls; c; c = c->next) {
		const unsigned n =
			c->state == CALL_ASKS_POLKIT ? count_waiting(b, c->uid, &oldest) : 0;

		if (n > most) {
			most = n;
			victim = oldest;
		}
	}
	assert(victim);
	refuse_limit(victim, "too many calls of all users wait for polkit");
}

/* The one volume that the object of the call, or its argument, is about. */
static const struct volume *volume_of_call(const struct call *c)
{
	const char *path = sd_bus_message_get_path(c->message);
	const struct job *j = job_at(c->bus, path);
	const struct volume *v = j ? NULL : volume_at(c->bus, path);

	if (j && j->n_members == 1)
		return j->members[0].volume;
	return v || !c->arguments.text ? v : volume_at(c->bus, c->arguments.text);
}

/* Several volumes, or what is to become one. */
static void describe_others(const struct call *c, struct polkit_details *d)
{
	const struct job *j = job_at(c->bus, sd_bus_message_get_path(c->message));
	const struct arguments *a = &c->arguments;
	size_t n = j ? j->n_members : 0;

	while (!j && a->volumes[n])
		n++;
	if (strcmp(c->verb->action, ACTION_ADD_VOLUME) == 0)
		(void)text_copy(d->volume, sizeof(d->volume), a->text);
	else if (n > 0)
		(void)text_format(d->volume, sizeof(d->volume), "%zu volumes", n);
	else if (a->group)
		(void)text_format(d->volume, sizeof(d->volume), "the volumes of the group \"%s\"",
				  a->group);
	else
		(void)text_copy(d->volume, sizeof(d->volume), "all volumes");
}

/* Whoever is asked for a password has to see what for. */
static void describe(const struct call *c, struct polkit_details *d)
{
	const struct volume *v = volume_of_call(c);
	_cleanup_free_ char *device = path_to_text(v ? v->place.device : "");

	*d = (struct polkit_details){.uuid = v ? v->uuid : ""};
	(void)text_copy(d->device, sizeof(d->device), device ?: "");
	if (!v)
		describe_others(c, d);
	else if (*v->place.name)
		(void)text_format(d->volume, sizeof(d->volume), "%s (%s)", v->place.name,
				  d->device);
	else
		(void)text_copy(d->volume, sizeof(d->volume), d->device);
	text_mask(d->volume);
	text_mask(d->device);
}

static void call_ask_polkit(struct call *c, uid_t uid)
{
	static uint64_t questions;
	struct polkit_details details;
	int r;

	assert(c->state == CALL_ASKS_UID && !c->slot);
	if (count_waiting(c->bus, uid, NULL) >= CALLS_PER_USER) {
		refuse_limit(c, "too many calls of this user wait for polkit");
		return;
	}
	make_room(c->bus);
	c->state = CALL_ASKS_POLKIT;
	c->question = ++questions;
	describe(c, &details);
	r = ask_polkit(c->message, c->verb->action, &details, c->question, CALL_WAIT_USEC,
		       on_polkit, c, &c->slot);
	if (r < 0) {
		log_warning_errno(r, "polkit cannot be asked");
		call_refuse(c, "polkit cannot be asked");
	}
}

static int on_uid(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	struct call *c = userdata;
	uint32_t uid;
	int r;

	(void)error;
	c->slot = sd_bus_slot_unref(c->slot);
	r = read_sender_uid(answer, &uid);
	if (r < 0) {
		call_free(c); /* nobody is left who would read an answer */
		return 0;
	}
	c->uid = uid;
	if (uid == 0 || uid == geteuid())
		call_run(c);
	else
		call_ask_polkit(c, uid);
	return 0;
}

/* Where a caller's connection is gone, nobody would read the answer. */
static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct bus *b = userdata;
	const char *name, *before, *after;
	struct call *next;

	(void)error;
	if (sd_bus_message_read(m, "sss", &name, &before, &after) < 0 || *after)
		return 0;
	for (struct call *c = b->calls; c; c = next) {
		next = c->next;
		if (c->state != CALL_RUNS &&
		    strcmp(sd_bus_message_get_sender(c->message), name) == 0)
			call_free(c);
	}
	return 0;
}

/*
 * One rule for all, since the bus gives a connection only some hundred. It is there before the bus
 * is asked who the caller is: a caller that has left by then has no uid.
 */
static int hear_of_leaving(struct bus *b, sd_bus *bus)
{
	if (b->leaving)
		return 0;
	return sd_bus_match_signal_async(bus, &b->leaving, "org.freedesktop.DBus",
					 "/org/freedesktop/DBus", "org.freedesktop.DBus",
					 "NameOwnerChanged", on_owner_changed, NULL, b);
}

static unsigned calls_of(const struct bus *b, const char *sender)
{
	unsigned n = 0;

	for (const struct call *c = b->calls; c; c = c->next)
		n += strcmp(sd_bus_message_get_sender(c->message), sender) == 0;
	return n;
}

/*
 * A message like @m, without its body and descriptors: it is never sent, but answers to it are
 * those to @m.
 */
static int copy_head(sd_bus_message *m, sd_bus_message **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *head = NULL;
	uint64_t cookie;
	int r;

	r = sd_bus_message_get_cookie(m, &cookie);
	if (r < 0)
		return r;
	r = sd_bus_message_new_method_call(
		sd_bus_message_get_bus(m), &head, NULL, sd_bus_message_get_path(m),
		sd_bus_message_get_interface(m), sd_bus_message_get_member(m));
	if (r < 0)
		return r;
	r = sd_bus_message_set_sender(head, sd_bus_message_get_sender(m));
	if (r < 0)
		return r;
	r = sd_bus_message_set_expect_reply(head, sd_bus_message_get_expect_reply(m));
	if (r < 0)
		return r;
	r = sd_bus_message_set_allow_interactive_authorization(
		head, sd_bus_message_get_allow_interactive_authorization(m));
	if (r < 0)
		return r;
	r = sd_bus_message_seal(head, cookie, 0);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(head);
	return 0;
}

/* Keeps the head of @m for the answer, and asks the bus who sent it. */
static int call_ask_uid(struct call *c, sd_bus_message *m)
{
	int r = copy_head(m, &c->message);

	if (r < 0)
		return r;
	r = hear_of_leaving(c->bus, sd_bus_message_get_bus(m));
	return r < 0 ? r : ask_sender_uid(m, on_uid, c, &c->slot);
}

/* Takes the arguments over. */
static int call_new(struct bus *b, sd_bus_message *m, const struct verb *verb,
		    struct arguments *arguments, struct call **ret)
{
	struct call *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->bus = b;
	c->verb = verb;
	c->arguments = *arguments;
	*arguments = (struct arguments)ARGUMENTS_NONE;
	c->next = b->calls;
	if (c->next)
		c->next->previous = c;
	b->calls = c;
	r = call_ask_uid(c, m);
	if (r < 0) {
		call_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

/* Reads the arguments of @m, and copies them. */
static int take_arguments(const struct bus *b, sd_bus_message *m, const struct verb *verb,
			  struct arguments *a, struct failure *f)
{
	int r = verb->parse(m, a, f);

	if (r < 0)
		return r;
	if (calls_of(b, sd_bus_message_get_sender(m)) >= CALLS_PER_SENDER)
		return refuse(f, BUS_ERROR_LIMITS_EXCEEDED, "too many calls without an answer");
	return arguments_keep(a, f);
}

int call_begin(struct bus *b, sd_bus_message *m, const struct verb *verb, sd_bus_error *error)
{
	_cleanup_(arguments_clear) struct arguments a = ARGUMENTS_NONE;
	struct failure f = {};
	struct call *c;
	int r;

	r = take_arguments(b, m, verb, &a, &f);
	if (r < 0)
		return set_failure(error, r, &f);
	r = call_new(b, m, verb, &a, &c);
	return r < 0 ? r : 1;
}
