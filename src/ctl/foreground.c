/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *     recryptctl                                        recrypt-worker serve --foreground
 *       SetLimits(), SetGovernor(), RunInForeground()  -->
 *                                                      <--  Question: a passphrase, a key, yes or
 * no asks a person, reads a file; Answer()          -->
 *                                                      <--  Progress, between two questions
 *                                                      <--  Done, and it ends
 *
 * The log of both goes to the same standard error: what the worker says is not lost when this
 * process dies before it.
 */
#include "ctl/foreground.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "cli/lost-keyslots.h"
#include "cli/passphrase.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "ctl/verbs.h"
#include "ctl/worker-process.h"
#include "pace/governor.h"
#include "pace/stall.h"
#include "proto/error-name.h"
#include "proto/service-bus.h"
#include "util/checked.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/exit-code.h"
#include "util/key-memfd.h"
#include "util/log.h"
#include "util/text.h"

struct foreground {
	const struct options *o;
	struct worker_process worker;
	sd_event *event;
	sd_bus *bus;
	struct passphrase_source source;
	struct luks_bindings bindings; /* named in its prompts */
	struct progress progress;
	char *device; /* named in the progress */
	bool shows_progress;
	struct worker_progress last;
	bool done;
	int error; /* how it ended, once it is done */
};

/* --- progress --- */

static int show_progress(struct foreground *f, const char *device)
{
	free(f->device);
	f->device = strdup(device);
	if (!f->device)
		return -ENOMEM;
	f->progress = (struct progress){
		.out = stdout,
		.device = f->device,
		.size = f->last.bytes_total,
		.frequency = f->o->output.progress_frequency,
		.json = f->o->output.progress_json,
		.terminal = isatty(STDOUT_FILENO),
	};
	f->shows_progress = true;
	progress_update(&f->progress, f->last.bytes_done, now_usec());
	return 0;
}

static int leave_progress(struct foreground *f)
{
	f->shows_progress = false;
	progress_break(&f->progress);
	return 0;
}

static int on_progress(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct foreground *f = arg;
	int r = message_read(m, MESSAGE_PROGRESS, &f->last, NULL, 0);

	(void)error;
	if (r >= 0 && f->shows_progress)
		progress_update(&f->progress, f->last.bytes_done, now_usec());
	return 0;
}

/* --- questions --- */

static int confirm_position(void)
{
	bool yes;
	int r = terminal_confirm("Did cryptsetup stop by itself, without a kill or a crash?", &yes);

	if (r < 0)
		return r;
	return yes ? 0 : -ECANCELED;
}

/* 0 without a secret: yes, or there is none. */
static int find_answer(struct foreground *f, const struct worker_question *q, struct secret **ret)
{
	const struct key_options *k = &f->o->keys;

	switch (q->kind) {
	case QUESTION_PASSPHRASE:
		return passphrase_ask(&f->source, q->keyslot, q->again, ret);
	case QUESTION_NEW_PASSPHRASE:
		return passphrase_ask(&f->source, LUKS_NEW_PASSPHRASE, q->again, ret);
	case QUESTION_VOLUME_KEY:
		return volume_key_read(k->volume_key_file, k->old_key_size, k->volume_key_keyring,
				       ret);
	case QUESTION_NEW_VOLUME_KEY:
		return volume_key_read(k->new_volume_key_file, f->o->rotation.key_size,
				       k->new_volume_key_keyring, ret);
	case QUESTION_IS_KEY_GIVEN:
		return passphrase_is_given(&f->source) ? 0 : -ENODATA;
	case QUESTION_LOSE_KEYSLOTS:
		return lost_keyslots_confirm(q->device, q->keyslots, "--batch-mode");
	case QUESTION_TRUST_POSITION:
		return confirm_position();
	case QUESTION_SHOW_PROGRESS:
		return show_progress(f, q->device);
	case QUESTION_LEAVE_PROGRESS:
		return leave_progress(f);
	case QUESTION_NONE:
	case QUESTION_COUNT:
		break;
	}
	return -EINVAL;
}

static int ask_person(struct foreground *f, const struct worker_question *q, struct secret **ret)
{
	int r;

	f->source.device = q->device;
	f->source.bindings = &f->bindings;
	if (q->keyslot >= 0 && q->keyslot < (int)LUKS_MAX_KEYSLOTS)
		(void)text_copy(f->bindings.of[q->keyslot], LUKS_BINDING_SIZE, q->binding);
	worker_process_begin_to_ask(&f->worker);
	r = find_answer(f, q, ret);
	worker_process_end_to_ask(&f->worker);
	f->source.device = NULL;
	return r;
}

static int append_answer(sd_bus_message *m, const struct worker_answer *answer,
			 const struct secret *secret)
{
	_cleanup_close_ int fd = -1;
	int r = message_append(m, MESSAGE_ANSWER, answer);

	if (r < 0)
		return r;
	r = sd_bus_message_open_container(m, 'a', "h");
	if (r < 0)
		return r;
	if (secret) {
		r = secret_to_fd(secret, &fd);
		if (r < 0)
			return r;
		r = sd_bus_message_append_basic(m, 'h', &fd);
		if (r < 0)
			return r;
	}
	return sd_bus_message_close_container(m);
}

static int new_call(struct foreground *f, const char *method, sd_bus_message **ret)
{
	return sd_bus_message_new_method_call(f->bus, ret, NULL, SERVICE_PATH, SERVICE_INTERFACE,
					      method);
}

static int send_answer(struct foreground *f, const struct worker_question *q, int error,
		       const struct secret *secret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	const struct worker_answer answer = {.number = q->number, .error = (uint32_t)-error};
	int r = new_call(f, "Answer", &m);

	if (r < 0)
		return r;
	r = append_answer(m, &answer, secret);
	return r < 0 ? r : sd_bus_send(f->bus, m, NULL);
}

/* Without an answer the worker would wait for ever. */
static int on_question(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	_cleanup_(secret_freep) struct secret *secret = NULL;
	struct foreground *f = arg;
	struct worker_question q;
	int r = message_read(m, MESSAGE_QUESTION, &q, NULL, 0);

	(void)error;
	if (r >= 0) {
		r = ask_person(f, &q, &secret);
		r = send_answer(f, &q, r, secret);
		message_clear(MESSAGE_QUESTION, &q);
	}
	if (r < 0)
		(void)sd_event_exit(f->event, log_error_errno(r, "the worker cannot be answered"));
	return 0;
}

/* --- the end --- */

static int on_done(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct foreground *f = arg;
	const char *job, *name;
	int sent;

	(void)error;
	if (sd_bus_message_read(m, "sis", &job, &sent, &name) < 0)
		return 0;
	f->done = true;
	f->error = sent == 0 ? 0 : error_received(sent, name);
	return 0;
}

static int on_disconnected(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct foreground *f = arg;

	(void)m;
	(void)error;
	return sd_event_exit(f->event, 0);
}

/* Refused at once, or there is no worker any more, which has said why. */
static int on_ordered(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct foreground *f = arg;
	const sd_bus_error *refusal = sd_bus_message_get_error(m);

	(void)error;
	if (refusal &&
	    strncmp(refusal->name, SERVICE_ERROR_PREFIX, strlen(SERVICE_ERROR_PREFIX)) == 0)
		(void)sd_event_exit(f->event, log_refusal(-EINVAL, "%s", refusal->message));
	return 0;
}

static int on_signal(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct foreground *f = arg;

	(void)source;
	(void)fd;
	(void)revents;
	worker_process_read_signal(&f->worker);
	return 0;
}

/* --- orders --- */

static int set_limits(struct foreground *f)
{
	const struct pace_options *p = &f->o->pace;
	const uint64_t stall = p->stall_target_ms == OPTION_NOT_GIVEN
				       ? STALL_DEFAULT_TARGET
				       : p->stall_target_ms * UINT64_C(1000);

	return sd_bus_call_method_async(f->bus, NULL, NULL, SERVICE_PATH, SERVICE_INTERFACE,
					"SetLimits", NULL, NULL, "ttt", p->rate, UINT64_C(0),
					stall);
}

static int set_governor(struct foreground *f)
{
	const struct pace_options *p = &f->o->pace;

	if (!p->governor)
		return 0;
	return sd_bus_call_method_async(
		f->bus, NULL, NULL, SERVICE_PATH, SERVICE_INTERFACE, "SetGovernor", NULL, NULL,
		"sttt", p->governor, p->rate_min ?: GOVERNOR_DEFAULT_RATE_MIN, p->rate_max,
		p->latency_target_ms > 0 ? p->latency_target_ms * UINT64_C(1000)
					 : GOVERNOR_DEFAULT_LATENCY_TARGET);
}

static int order(struct foreground *f)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	struct foreground_order order;
	int r = new_call(f, "RunInForeground", &m);

	if (r < 0)
		return r;
	foreground_order_fill(f->o, &order);
	r = message_append(m, MESSAGE_FOREGROUND, &order);
	return r < 0 ? r : sd_bus_call_async(f->bus, NULL, m, on_ordered, f, UINT64_MAX);
}

static int add_signals(struct foreground *f)
{
	static const struct {
		const char *name;
		sd_bus_message_handler_t handler;
	} signals[] = {
		{"Question", on_question},
		{"Progress", on_progress},
		{"Done", on_done},
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		r = sd_bus_match_signal(f->bus, NULL, NULL, SERVICE_PATH, SERVICE_INTERFACE,
					signals[i].name, signals[i].handler, f);
		if (r < 0)
			return r;
	}
	return sd_bus_match_signal(f->bus, NULL, "org.freedesktop.DBus.Local",
				   "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
				   "Disconnected", on_disconnected, f);
}

static int connect_to_worker(struct foreground *f)
{
	int r = sd_event_new(&f->event);

	if (r < 0)
		return r;
	r = sd_event_add_io(f->event, NULL, f->worker.signal_fd, EPOLLIN, on_signal, f);
	if (r < 0)
		return r;
	r = service_connect(f->worker.control_fd, &f->bus);
	if (r < 0)
		return r;
	r = add_signals(f);
	return r < 0 ? r : sd_bus_attach_event(f->bus, f->event, SD_EVENT_PRIORITY_NORMAL);
}

static int give_orders(struct foreground *f)
{
	int r = set_limits(f);

	if (r < 0)
		return r;
	r = set_governor(f);
	return r < 0 ? r : order(f);
}

/* Until nothing more comes from the worker. */
static int serve_worker(struct foreground *f)
{
	int r = connect_to_worker(f);

	if (r == -EPIPE)
		return 0; /* it has ended, and said why */
	if (r < 0)
		return log_error_errno(r, "the worker cannot be reached");
	r = give_orders(f);
	if (r < 0)
		return log_error_errno(r, "the worker cannot be told what to do");
	return sd_event_loop(f->event);
}

static void foreground_close(struct foreground *f)
{
	if (f->progress.started)
		progress_break(&f->progress);
	f->bus = sd_bus_close_unref(f->bus);
	f->event = sd_event_unref(f->event);
	worker_process_wait(&f->worker);
	f->source.first = secret_free(f->source.first);
	free(f->device);
}

static int run(struct foreground *f)
{
	int r = secret_forbid_looking_in();

	if (r < 0)
		return log_error_errno(r, "cannot set up the process");
	r = worker_process_start(f->o, &f->worker);
	return r < 0 ? r : serve_worker(f);
}

int run_in_foreground(const struct options *o)
{
	struct foreground f = {
		.o = o,
		.worker = WORKER_PROCESS_NONE,
		.source = passphrases_of(o, NULL),
	};
	int r = run(&f);

	foreground_close(&f);
	if (r < 0)
		return r;
	if (f.done)
		return f.error;
	return worker_process_exit_code(&f.worker);
}
