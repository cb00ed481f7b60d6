/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/workers/worker-link.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <systemd/sd-bus.h>

#include "daemon/state/failure.h"
#include "daemon/workers/spawn.h"
#include "proto/error-name.h"
#include "util/checked.h"
#include "util/log.h"
#include "util/text.h"
#include "model/bus-text.h"
#include "proto/service-bus.h"

/* What a reply of the worker is about: the userdata of an asynchronous call. */
struct link_call {
	struct worker_link *link;
	int which; /* enum worker_job or enum worker_call */
};

struct worker_link {
	sd_bus *bus;
	int control_fd;
	int pidfd; /* -1: it was adopted */
	sd_event_source *hangup;
	const struct worker_handler *handler;
	void *userdata;
	bool expected[WORKER_JOB_COUNT]; /* whose end is to come */
	struct link_call jobs[WORKER_JOB_COUNT], calls[WORKER_CALL_COUNT];
	struct worker_link *next_retired;
};

static struct worker_link *retired;

static void job_ended(struct worker_link *l, struct worker_end *end)
{
	assert(end->job < WORKER_JOB_COUNT);
	if (!l->expected[end->job]) {
		log_debug("a worker ended a job that nobody asked for: %s",
			  worker_job_names[end->job]);
		return;
	}
	l->expected[end->job] = false;
	l->handler->ended(l->userdata, end);
}

static void end_failed(struct worker_end *end, int error, const char *name, const char *text)
{
	end->error = error_received(error, name ?: "");
	(void)failure_set(&end->failure, end->error, "%s", text);
	if (name && strncmp(name, SERVICE_ERROR_PREFIX, strlen(SERVICE_ERROR_PREFIX)) == 0)
		name += strlen(SERVICE_ERROR_PREFIX);
	if (name && *name && !strchr(name, '.'))
		(void)text_copy(end->failure.name, sizeof(end->failure.name), name);
}

static int on_done(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct worker_link *l = userdata;
	struct worker_end end;
	const char *job, *name, *message;
	int e, r;

	(void)error;
	r = sd_bus_message_read(m, "siss", &job, &e, &name, &message);
	if (r < 0) {
		/* Whose end this is nobody knows, so nobody would ever be answered. */
		log_warning_errno(r, "a worker sent a message that is not understood; it is lost");
		l->handler->died(l->userdata);
		return 0;
	}
	r = message_read(m, MESSAGE_END, &end, NULL, 0);
	end.job = worker_job_by_name(job);
	if (r < 0)
		end_failed(&end, r, NULL, "the worker's message is not understood");
	else if (e != 0)
		end_failed(&end, e, name, message);
	job_ended(l, &end);
	message_clear(MESSAGE_END, &end);
	return 0;
}

static int on_progress(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct worker_link *l = userdata;
	struct worker_progress p;

	(void)error;
	if (l->handler->progress && message_read(m, MESSAGE_PROGRESS, &p, NULL, 0) >= 0)
		l->handler->progress(l->userdata, &p);
	return 0;
}

static int on_keys(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct worker_link *l = userdata;
	int old_fd, new_fd;

	(void)error;
	if (l->handler->keys && sd_bus_message_read(m, "hh", &old_fd, &new_fd) >= 0)
		l->handler->keys(l->userdata, old_fd, new_fd);
	return 0;
}

static int add_match(struct worker_link *l, const char *interface, const char *member,
		     sd_bus_message_handler_t handler)
{
	char rule[256];

	(void)snprintf(rule, sizeof(rule), "type='signal',interface='%s',member='%s'", interface,
		       member);
	return sd_bus_add_match(l->bus, NULL, rule, handler, l);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct worker_link *l = userdata;

	(void)m;
	(void)error;
	l->handler->died(l->userdata);
	return 0;
}

static int on_hangup(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
	struct worker_link *l = userdata;

	(void)fd;
	(void)events;
	(void)sd_event_source_set_enabled(s, SD_EVENT_OFF);
	l->handler->died(l->userdata);
	return 0;
}

static int connect_link(struct worker_link *l, sd_event *event)
{
	static const struct {
		const char *interface, *member;
		sd_bus_message_handler_t handler;
	} signals[] = {
		{SERVICE_INTERFACE, "Done", on_done},
		{SERVICE_INTERFACE, "Progress", on_progress},
		{SERVICE_INTERFACE, "KeysAvailable", on_keys},
		{"org.freedesktop.DBus.Local", "Disconnected", on_disconnected},
	};
	int r = service_connect(l->control_fd, &l->bus);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		r = add_match(l, signals[i].interface, signals[i].member, signals[i].handler);
		if (r < 0)
			return r;
	}
	r = sd_bus_attach_event(l->bus, event, SD_EVENT_PRIORITY_NORMAL);
	if (r < 0)
		return r;
	/* A hangup is always told, whatever is asked for. */
	r = sd_event_add_io(event, &l->hangup, l->control_fd, 0, on_hangup, l);
	return r < 0 ? r : 0;
}

int worker_link_adopt(sd_event *event, int control_fd, const struct worker_handler *handler,
		      void *userdata, struct worker_link **ret)
{
	_cleanup_close_ int fd = control_fd;
	_cleanup_(worker_link_freep) struct worker_link *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->control_fd = TAKE_FD(fd);
	l->pidfd = -1;
	for (int i = 0; i < WORKER_JOB_COUNT; i++)
		l->jobs[i] = (struct link_call){.link = l, .which = i};
	for (int i = 0; i < WORKER_CALL_COUNT; i++)
		l->calls[i] = (struct link_call){.link = l, .which = i};
	worker_link_set_handler(l, handler, userdata);
	r = connect_link(l, event);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(l);
	return 0;
}

int worker_link_spawn(sd_event *event, const struct worker_spec *spec,
		      const struct worker_handler *handler, void *userdata,
		      struct worker_link **ret)
{
	_cleanup_close_ int pidfd = -1;
	int fd, r = spawn_worker(event, spec, &fd, &pidfd);

	if (r < 0)
		return r;
	r = worker_link_adopt(event, fd, handler, userdata, ret);
	if (r < 0)
		return r;
	(*ret)->pidfd = TAKE_FD(pidfd);
	return 0;
}

int worker_link_kill(struct worker_link *l, int *ret_pidfd)
{
	if (l->pidfd < 0)
		return -EBADF;
	if (syscall(SYS_pidfd_send_signal, l->pidfd, SIGKILL, NULL, 0) < 0)
		return -errno;
	*ret_pidfd = TAKE_FD(l->pidfd);
	return 0;
}

struct worker_link *worker_link_free(struct worker_link *l)
{
	if (!l)
		return NULL;
	(void)sd_event_source_disable_unref(l->hangup);
	(void)sd_bus_close_unref(l->bus);
	(void)close(l->control_fd);
	cleanup_close(&l->pidfd);
	free(l);
	return NULL;
}

void worker_link_set_handler(struct worker_link *l, const struct worker_handler *handler,
			     void *userdata)
{
	assert(handler->ended && handler->died);
	l->handler = handler;
	l->userdata = userdata;
}

int worker_link_control_fd(const struct worker_link *l)
{
	return l->control_fd;
}

static int new_call(struct worker_link *l, const char *member, sd_bus_message **ret)
{
	return sd_bus_message_new_method_call(l->bus, ret, NULL, SERVICE_PATH, SERVICE_INTERFACE,
					      member);
}

/* No time limit: a disk may be slow, and a death is noticed. */
static int send_call(struct worker_link *l, sd_bus_message *m, sd_bus_message_handler_t handler,
		     void *userdata)
{
	int r = sd_bus_call_async(l->bus, NULL, m, handler, userdata, UINT64_MAX);

	return r < 0 ? r : 0;
}

/* What the error says; a worker that is not ours yet says no errno. */
static void end_refused(struct worker_end *end, sd_bus_message *m)
{
	const sd_bus_error *e = sd_bus_message_get_error(m);
	int error = 0;

	if (sd_bus_message_skip(m, "s") < 0 || sd_bus_message_read(m, "i", &error) <= 0 ||
	    error >= 0)
		error = -sd_bus_error_get_errno(e);
	end_failed(end, error, e->name, e->message);
}

/* The worker has taken the job, or not; Inspect() has no Done but its reply. */
static int on_job_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct link_call *c = userdata;
	struct worker_end end;
	int r = 0;

	(void)error;
	message_init(MESSAGE_END, &end);
	end.job = (enum worker_job)c->which;
	if (sd_bus_message_is_method_error(m, NULL))
		end_refused(&end, m);
	else if (end.job != WORKER_INSPECT)
		return 0;
	else
		r = message_read(m, MESSAGE_LOOK, &end.look, NULL, 0);
	if (r < 0)
		end_failed(&end, r, NULL, "the worker's answer is not understood");
	job_ended(c->link, &end);
	message_clear(MESSAGE_END, &end);
	return 0;
}

/* @order: of @kind, NULL without a dictionary. */
static int send_job(struct worker_link *l, enum worker_job job, const int *fds, size_t n_fds,
		    enum message_kind kind, const void *order)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r = new_call(l, worker_job_method(job), &m);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n_fds; i++) {
		r = sd_bus_message_append_basic(m, 'h', &fds[i]);
		if (r < 0)
			return r;
	}
	r = order ? message_append(m, kind, order) : 0;
	if (r < 0)
		return r;
	r = send_call(l, m, on_job_reply, &l->jobs[job]);
	if (r == 0)
		l->expected[job] = true;
	return r;
}

int worker_link_run(struct worker_link *l, enum worker_job job, const struct run_options *options)
{
	assert(job >= WORKER_UNDO && job <= WORKER_REVERSE);
	return send_job(l, job, NULL, 0, MESSAGE_RUN, options);
}

int worker_link_inspect(struct worker_link *l)
{
	return send_job(l, WORKER_INSPECT, NULL, 0, MESSAGE_COUNT, NULL);
}

int worker_link_unlock(struct worker_link *l, int fd, const struct unlock_options *options)
{
	return send_job(l, WORKER_UNLOCK, &fd, 1, MESSAGE_UNLOCK, options);
}

int worker_link_use_provider(struct worker_link *l, const struct provider *provider)
{
	const struct provider_order order = {.provider = *provider, .keyslot = -1};

	return send_job(l, WORKER_USE_PROVIDER, NULL, 0, MESSAGE_PROVIDER, &order);
}

int worker_link_adopt_keys(struct worker_link *l, int old_fd, int new_fd)
{
	const int fds[] = {old_fd, new_fd};

	return send_job(l, WORKER_ADOPT, fds, ARRAY_SIZE(fds), MESSAGE_COUNT, NULL);
}

int worker_link_check(struct worker_link *l, const struct rotate_options *options,
		      const struct run_options *run)
{
	const struct prepare_order order = {*options, *run};

	return send_job(l, WORKER_CHECK, NULL, 0, MESSAGE_PREPARE, &order);
}

int worker_link_prepare(struct worker_link *l, const struct rotate_options *options,
			const struct run_options *run)
{
	const struct prepare_order order = {*options, *run};

	return send_job(l, WORKER_PREPARE, NULL, 0, MESSAGE_PREPARE, &order);
}

void worker_link_expect(struct worker_link *l, enum worker_job job)
{
	assert(job > WORKER_NONE && job < WORKER_JOB_COUNT);
	l->expected[job] = true;
}

static int on_status_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct worker_link *l = userdata;
	struct worker_status status = {};
	int r = -sd_bus_message_get_errno(m);

	(void)error;
	if (!sd_bus_message_is_method_error(m, NULL))
		r = message_read(m, MESSAGE_STATUS, &status, NULL, 0);
	l->handler->status(l->userdata, r, &status);
	return 0;
}

int worker_link_get_status(struct worker_link *l)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r = new_call(l, "GetStatus", &m);

	return r < 0 ? r : send_call(l, m, on_status_reply, l);
}

static int on_call_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct link_call *c = userdata;
	struct worker_end end = {};

	(void)error;
	if (sd_bus_message_is_method_error(m, SD_BUS_ERROR_UNKNOWN_METHOD) &&
	    c->which == WORKER_CALL_SET_IDENTITY)
		return 0; /* an older worker, which ends with the work that it is at */
	if (sd_bus_message_is_method_error(m, NULL))
		end_refused(&end, m);
	c->link->handler->replied(c->link->userdata, (enum worker_call)c->which, end.error,
				  &end.failure);
	return 0;
}

static int send_simple(struct worker_link *l, enum worker_call call, const char *member)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r = new_call(l, member, &m);

	return r < 0 ? r : send_call(l, m, on_call_reply, &l->calls[call]);
}

int worker_link_lock(struct worker_link *l)
{
	return send_simple(l, WORKER_CALL_LOCK, "Lock");
}

int worker_link_stop(struct worker_link *l)
{
	return send_simple(l, WORKER_CALL_STOP, "Stop");
}

int worker_link_set_limits(struct worker_link *l, const struct worker_limits *limits)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r = new_call(l, "SetLimits", &m);

	if (r < 0)
		return r;
	r = sd_bus_message_append(m, "ttt", limits->rate, limits->hotzone_max,
				  limits->stall_target_usec);
	return r < 0 ? r : send_call(l, m, on_call_reply, &l->calls[WORKER_CALL_SET_LIMITS]);
}

int worker_link_set_governor(struct worker_link *l, const struct governor_config *governor)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r = new_call(l, "SetGovernor", &m);

	if (r < 0)
		return r;
	r = sd_bus_message_append(m, "sttt", governor_mode_name(governor->mode), governor->rate_min,
				  governor->rate_max, governor->latency_target);
	return r < 0 ? r : send_call(l, m, on_call_reply, &l->calls[WORKER_CALL_SET_GOVERNOR]);
}

int worker_link_set_record(struct worker_link *l, const char *json)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r = new_call(l, "SetRecord", &m);

	if (r < 0)
		return r;
	r = bus_append_text(m, json);
	return r < 0 ? r : send_call(l, m, on_call_reply, &l->calls[WORKER_CALL_SET_RECORD]);
}

int worker_link_set_identity(struct worker_link *l, const struct identity *identity)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r = new_call(l, "SetIdentity", &m);

	if (r < 0)
		return r;
	r = message_append(m, MESSAGE_IDENTITY, identity);
	return r < 0 ? r : send_call(l, m, on_call_reply, &l->calls[WORKER_CALL_SET_IDENTITY]);
}

static void forget_retired(void *userdata)
{
	struct worker_link *l = userdata;

	for (struct worker_link **p = &retired; *p; p = &(*p)->next_retired)
		if (*p == l) {
			*p = l->next_retired;
			break;
		}
	worker_link_free(l);
}

static void retired_replied(void *userdata, enum worker_call call, int error,
			    const struct failure *f)
{
	(void)userdata;
	(void)call;
	(void)error;
	(void)f;
}

static void retired_ended(void *userdata, struct worker_end *end)
{
	(void)userdata;
	(void)end;
}

static void retired_status(void *userdata, int error, const struct worker_status *status)
{
	(void)userdata;
	(void)error;
	(void)status;
}

static void retired_progress(void *userdata, const struct worker_progress *progress)
{
	(void)userdata;
	(void)progress;
}

static void retired_keys(void *userdata, int old_fd, int new_fd)
{
	(void)userdata;
	(void)old_fd;
	(void)new_fd;
}

void worker_link_retire(struct worker_link *l)
{
	static const struct worker_handler handler = {
		.ended = retired_ended,
		.status = retired_status,
		.replied = retired_replied,
		.progress = retired_progress,
		.keys = retired_keys,
		.died = forget_retired,
	};

	if (send_simple(l, WORKER_CALL_QUIT, "Quit") < 0) {
		worker_link_free(l);
		return;
	}
	worker_link_set_handler(l, &handler, l);
	l->next_retired = retired;
	retired = l;
}

void worker_link_free_retired(void)
{
	while (retired)
		forget_retired(retired);
}
