/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/bus-call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/polkit.h"
#include "util/log.h"
#include "util/text.h"
#include "worker/service-bus.h"

static struct call *call_free(struct call *c)
{
	if (!c)
		return NULL;
	if (c->next)
		c->next->previous = c->previous;
	if (c->previous)
		c->previous->next = c->next;
	else
		c->bus->calls = c->next;
	c->bus->n_calls--;
	sd_bus_slot_unref(c->slot);
	sd_bus_message_unref(c->message);
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

	(void)snprintf(name, sizeof(name), BUS_ERROR_PREFIX "%s",
		       told ? f->name : service_error_name(error));
	(void)sd_bus_error_set(ret, name, told ? f->text : strerrordesc_np(-error));
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
			  sd_bus_message_get_sender(c->message), strerrordesc_np(-r));
	call_free(c);
}

void call_reply(struct call *c)
{
	sent(c, sd_bus_reply_method_return(c->message, NULL));
}

void call_reply_path(struct call *c, const char *path)
{
	sent(c, sd_bus_reply_method_return(c->message, "o", path));
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

static void call_run(struct call *c)
{
	struct arguments a = {};
	struct failure f = {};
	int r;

	c->slot = sd_bus_slot_unref(c->slot);
	r = sd_bus_message_rewind(c->message, true);
	if (r >= 0)
		r = c->verb->parse(c->message, &a, &f);
	if (r >= 0)
		r = c->verb->run(c, &a, &f);
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
	switch (read_polkit(answer)) {
	case 0:
		call_run(c);
		return 0;
	case -EACCES:
		why = "polkit does not allow it";
		break;
	case -ENOKEY:
		why = "polkit wants authentication, and may not ask for it";
		break;
	case -ENOSYS:
		why = "there is no polkit to ask, so only the superuser may";
		break;
	default:
		why = "polkit cannot be asked";
		break;
	}
	call_refuse(c, why);
	return 0;
}

static int on_uid(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	struct call *c = userdata;
	uint32_t uid;
	int r;

	(void)error;
	r = read_sender_uid(answer, &uid);
	if (r < 0) {
		call_free(c); /* nobody is left who would read an answer */
		return 0;
	}
	if (uid == 0 || uid == geteuid()) {
		call_run(c);
		return 0;
	}
	c->slot = sd_bus_slot_unref(c->slot);
	r = ask_polkit(c->message, c->verb->action, on_polkit, c, &c->slot);
	if (r < 0) {
		log_warning_errno(r, "polkit cannot be asked");
		call_refuse(c, "polkit cannot be asked");
	}
	return 0;
}

static unsigned calls_of(const struct bus *b, const char *sender)
{
	unsigned n = 0;

	for (const struct call *c = b->calls; c; c = c->next)
		n += strcmp(sd_bus_message_get_sender(c->message), sender) == 0;
	return n;
}

static struct call *call_new(struct bus *b, sd_bus_message *m, const struct verb *verb)
{
	struct call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->bus = b;
	c->verb = verb;
	c->message = sd_bus_message_ref(m);
	c->next = b->calls;
	if (c->next)
		c->next->previous = c;
	b->calls = c;
	b->n_calls++;
	return c;
}

int call_begin(struct bus *b, sd_bus_message *m, const struct verb *verb, sd_bus_error *error)
{
	struct arguments a = {};
	struct failure f = {};
	struct call *c;
	int r;

	r = verb->parse(m, &a, &f);
	if (r < 0)
		return set_failure(error, r, &f);
	if (b->n_calls >= CALLS_MAX ||
	    calls_of(b, sd_bus_message_get_sender(m)) >= CALLS_PER_SENDER)
		return set_failure(
			error,
			refuse(&f, BUS_ERROR_LIMITS_EXCEEDED, "too many calls without an answer"),
			&f);
	c = call_new(b, m, verb);
	if (!c)
		return -ENOMEM;
	r = ask_sender_uid(m, on_uid, c, &c->slot);
	if (r < 0) {
		call_free(c);
		return r;
	}
	return 1;
}
