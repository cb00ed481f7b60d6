/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a service sends by itself. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/bus-text.h"
#include "proto/error-name.h"
#include "proto/service-bus.h"
#include "util/clock.h"
#include "util/log.h"
#include "worker/service-internal.h"

#define UNREAD_MAX 16

static int new_signal(struct service *s, const char *name, sd_bus_message **ret)
{
	return s->bus ? sd_bus_message_new_signal(s->bus, ret, SERVICE_PATH, SERVICE_INTERFACE,
						  name)
		      : -ENOTCONN;
}

static int append_done(sd_bus_message *m, struct service *s, const struct report *p)
{
	_cleanup_free_ struct control_state *state = malloc(sizeof(*state));
	struct worker_end end;
	int r;

	if (!state)
		return -ENOMEM;
	r = sd_bus_message_append(m, "sis", worker_job_names[p->job], error_sent(p->error),
				  p->error < 0 ? error_name(p->error) : "");
	if (r < 0)
		return r;
	r = bus_append_text(m, p->error < 0 ? p->message : "");
	if (r < 0)
		return r;
	control_get_state(s->control, state);
	r = service_fill_end(p, state, &end);
	if (r < 0)
		return r;
	r = message_append(m, MESSAGE_END, &end);
	message_clear(MESSAGE_END, &end);
	return r;
}

static int send_done(struct service *s, const struct report *p)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r = new_signal(s, "Done", &m);

	if (r < 0)
		return r;
	r = append_done(m, s, p);
	return r < 0 ? r : sd_bus_send(s->bus, m, NULL);
}

static void tell_done(struct service *s, const struct report *p)
{
	int r = send_done(s, p);

	if (r < 0 && r != -ENOTCONN)
		log_warning_errno(r, "the end of a job could not be told");
}

static int send_keys(struct service *s, const struct report *p)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r = s->greeted ? new_signal(s, "KeysAvailable", &m) : -ENOTCONN;

	assert(p->kind == REPORT_KEYS);
	if (r < 0)
		return r;
	r = sd_bus_message_append(m, "hh", p->key_fd[0], p->key_fd[1]);
	return r < 0 ? r : sd_bus_send(s->bus, m, NULL);
}

/* -ENOTCONN: nobody hears it, and the next one who connects has to be told. */
static int tell_keys(struct service *s, const struct report *p)
{
	int r = send_keys(s, p);

	if (r == -ECONNRESET || r == -EPIPE)
		r = -ENOTCONN;
	if (r < 0 && r != -ENOTCONN)
		log_warning_errno(r, "volume keys could not be handed over");
	return r;
}

void service_send_kept_keys(struct service *s)
{
	if (s->kept_keys && tell_keys(s, s->kept_keys) >= 0)
		s->kept_keys = report_free(s->kept_keys);
}

int service_reply(sd_bus_message *call, enum message_kind kind, const void *value)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_return(call, &m);

	if (r < 0)
		return r;
	r = message_append(m, kind, value);
	return r < 0 ? r : sd_bus_send(NULL, m, NULL);
}

int service_reply_look(sd_bus_message *call, const struct look *l,
		       const struct control_state *state)
{
	struct worker_look look;
	int r = service_fill_look(l, state, &look);

	if (r < 0)
		return r;
	r = service_reply(call, MESSAGE_LOOK, &look);
	message_clear(MESSAGE_LOOK, &look);
	return r;
}

/* The name says less than the errno, and an errno is what Done has, too. */
static int reply_error(sd_bus_message *call, const struct report *p)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	char name[128];
	int r;

	(void)snprintf(name, sizeof(name), SERVICE_ERROR_PREFIX "%s", error_name(p->error));
	r = sd_bus_message_new_method_errorf(call, &m, name, "%s", p->message);
	if (r < 0)
		return r;
	r = sd_bus_message_append(m, "i", error_sent(p->error));
	return r < 0 ? r : sd_bus_send(NULL, m, NULL);
}

static int reply(struct service *s, const struct service_call *call, const struct report *p)
{
	_cleanup_free_ struct control_state *state = NULL;

	if (p->error < 0)
		return reply_error(call->message, p);
	if (call->record_serial > 0)
		return sd_bus_reply_method_return(call->message, NULL);
	state = malloc(sizeof(*state));
	if (!state)
		return -ENOMEM;
	control_get_state(s->control, state);
	return service_reply_look(call->message, &p->look, state);
}

static bool answers(const struct report *p, const struct service_call *call)
{
	if (p->kind == REPORT_RECORD)
		return call->record_serial > 0 && call->record_serial <= p->record_serial;
	return call->record_serial == 0;
}

static void reply_calls(struct service *s, const struct report *p)
{
	unsigned left = 0;

	for (unsigned i = 0; i < s->n_calls; i++) {
		if (!answers(p, &s->call[i])) {
			s->call[left++] = s->call[i];
			continue;
		}
		if (reply(s, &s->call[i], p) < 0)
			log_warning("a call could not be answered");
		sd_bus_message_unref(s->call[i].message);
	}
	s->n_calls = left;
}

static int send_question(struct service *s, const struct worker_question *q)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r = new_signal(s, "Question", &m);

	if (r < 0)
		return r;
	r = message_append(m, MESSAGE_QUESTION, q);
	return r < 0 ? r : sd_bus_send(s->bus, m, NULL);
}

/* The progress that a question is about is told before it. */
static void tell_question(struct service *s, const struct worker_question *q)
{
	int r;

	service_send_progress(s, q->kind == QUESTION_SHOW_PROGRESS);
	r = send_question(s, q);
	if (r >= 0)
		return;
	if (r != -ENOTCONN)
		log_error_errno(r, "nobody can be asked");
	control_answer(s->control, q->number, r, NULL);
}

/* @report is taken over when it is kept for the next connection. */
static void send_report(struct service *s, struct report **report)
{
	const struct report *p = *report;

	switch (p->kind) {
	case REPORT_KEYS:
		if (tell_keys(s, p) != -ENOTCONN)
			break;
		report_free(s->kept_keys);
		s->kept_keys = TAKE_PTR(*report);
		break;
	case REPORT_RECORD:
		reply_calls(s, p);
		break;
	case REPORT_QUESTION:
		tell_question(s, &p->question);
		break;
	case REPORT_DONE:
		if (p->job == WORKER_INSPECT) {
			reply_calls(s, p);
		} else if (p->job != WORKER_LOCK) {
			service_send_progress(s, false);
			control_job_is_over(s->control);
			tell_done(s, p);
		}
		break;
	}
}

void service_send_reports(struct service *s)
{
	for (;;) {
		_cleanup_(report_freep) struct report *p = control_take(s->control);

		if (!p)
			return;
		send_report(s, &p);
	}
}

/* Who does not read what there is already gets no more of it. */
static int send_progress(struct service *s, const struct control_state *state)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	struct worker_progress progress;
	uint64_t queued;
	int r;

	if (s->bus && sd_bus_get_n_queued_write(s->bus, &queued) >= 0 && queued > UNREAD_MAX)
		return -ENOBUFS;
	r = new_signal(s, "Progress", &m);
	if (r < 0)
		return r;
	service_fill_progress(s, state, &progress);
	r = message_append(m, MESSAGE_PROGRESS, &progress);
	return r < 0 ? r : sd_bus_send(s->bus, m, NULL);
}

static void note_progress(struct service *s, const struct engine_progress *p)
{
	const uint64_t now = now_usec(), usec = now - s->last_usec;

	s->rate = p->converted > s->last_converted && usec > 0 && s->last_usec > 0
			  ? (p->converted - s->last_converted) * 1000000 / usec
			  : 0;
	s->last_usec = now;
	s->last_converted = p->converted;
	s->last_position = p->position;
}

void service_send_progress(struct service *s, bool always)
{
	struct control_state *state = malloc(sizeof(*state));
	const struct engine_progress *p;

	if (!state)
		return;
	control_get_state(s->control, state);
	p = &state->progress;
	if (always || p->converted != s->last_converted ||
	    p->position.boundary != s->last_position.boundary ||
	    p->position.hotzone_size != s->last_position.hotzone_size) {
		note_progress(s, p);
		if (send_progress(s, state) < 0 && s->bus)
			log_debug("progress could not be told");
	}
	free(state);
}
