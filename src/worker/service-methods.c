/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The methods of a service: each makes a request of its call, and answers at once where it can. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "proto/error-name.h"
#include "proto/service-bus.h"
#include "util/error.h"
#include "util/key-memfd.h"
#include "util/log.h"
#include "worker/service-internal.h"

#define SECRET_MAX ((size_t)8 << 20) /* bytes: cryptsetup's own limit of a key file */

/* @text is valid UTF-8: an error with any other text cannot be sent, and ends the connection. */
static int set_error(sd_bus_error *error, int r, const char *text)
{
	char name[128];

	(void)snprintf(name, sizeof(name), SERVICE_ERROR_PREFIX "%s", error_name(r));
	return sd_bus_error_set(error, name, text);
}

/* What the call of a job brings: descriptors, and one dictionary or (@size 0) none. */
struct accepted {
	unsigned n_fds;
	enum message_kind kind;
	size_t where, size; /* of its struct in struct work_request */
};

#define ORDER(kind, field)                                                                         \
	kind, offsetof(struct work_request, field), sizeof(((struct work_request *)NULL)->field)

static const struct accepted accepted[WORKER_JOB_COUNT] = {
	[WORKER_UNLOCK] = {1, ORDER(MESSAGE_UNLOCK, unlock)},
	[WORKER_USE_PROVIDER] = {0, ORDER(MESSAGE_PROVIDER, provider)},
	[WORKER_ADOPT] = {.n_fds = 2},
	[WORKER_CHECK] = {0, ORDER(MESSAGE_PREPARE, order)},
	[WORKER_PREPARE] = {0, ORDER(MESSAGE_PREPARE, order)},
	[WORKER_UNDO] = {0, ORDER(MESSAGE_RUN, order.run)},
	[WORKER_CONVERT] = {0, ORDER(MESSAGE_RUN, order.run)},
	[WORKER_RECOVER] = {0, ORDER(MESSAGE_RUN, order.run)},
	[WORKER_REVERSE] = {0, ORDER(MESSAGE_RUN, order.run)},
	[WORKER_FOREGROUND] = {0, ORDER(MESSAGE_FOREGROUND, foreground)},
};

static int read_order(sd_bus_message *m, const struct accepted *a, struct work_request *q,
		      sd_bus_error *error)
{
	char problem[256] = "the options cannot be read";
	int r;

	if (a->size == 0)
		return 0;
	assert(a->size == messages[a->kind].size);
	r = message_read(m, a->kind, (char *)q + a->where, problem, sizeof(problem));
	return r == -EINVAL ? set_error(error, r, problem) : r;
}

static bool is_keyslot(int32_t number)
{
	return number >= -1 && number < (int32_t)LUKS_MAX_KEYSLOTS;
}

/* The message keeps its descriptors: the request has its own. */
static int read_fd(sd_bus_message *m, int *ret)
{
	int fd, r = sd_bus_message_read_basic(m, 'h', &fd);

	if (r < 0)
		return r;
	*ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return *ret < 0 ? -errno : 0;
}

static int submit(struct service *s, struct work_request *q, sd_bus_error *error)
{
	const enum worker_job job = q->job;
	int r = control_submit(s->control, q);

	if (r == -EBUSY)
		return set_error(error, r, "another job of this worker is not done yet");
	if (r == -ECANCELED)
		return set_error(error, r, "this worker is about to end");
	return r == 0 && (job == WORKER_CONVERT || job == WORKER_FOREGROUND)
		       ? service_start_progress(s)
		       : r;
}

/* Reads what the job takes, submits it, and says that it was accepted. */
static int method_job(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	const enum worker_job job = worker_job_by_method(sd_bus_message_get_member(m));
	_cleanup_(request_freep) struct work_request *q = request_new(job);
	int r;

	assert(job != WORKER_NONE);
	if (!q)
		return -ENOMEM;
	for (unsigned i = 0; i < accepted[job].n_fds; i++) {
		r = read_fd(m, &q->fd[i]);
		if (r < 0)
			return r;
	}
	r = read_order(m, &accepted[job], q, error);
	if (r < 0)
		return r;
	if (!is_keyslot(q->unlock.keyslot) || !is_keyslot(q->provider.keyslot) ||
	    !is_keyslot(q->order.rotation.keyslot) || !is_keyslot(q->foreground.rotation.keyslot))
		return set_error(error, -EINVAL, "Keyslot must be between 0 and 31");
	r = submit(arg, TAKE_PTR(q), error);
	return r < 0 ? r : sd_bus_reply_method_return(m, NULL);
}

/* Questions are answered only by who has started the worker for this one job. */
static int method_run_in_foreground(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	const struct service *s = arg;

	if (!s->foreground)
		return set_error(error, -EINVAL, "this worker does not work in the foreground");
	return method_job(m, arg, error);
}

/* At most one descriptor, with the secret. */
static int read_secret(sd_bus_message *m, struct secret **ret)
{
	int fd, r = sd_bus_message_enter_container(m, 'a', "h");

	if (r < 0)
		return r;
	r = sd_bus_message_read_basic(m, 'h', &fd);
	if (r > 0)
		r = secret_from_fd(fd, SECRET_MAX, ret);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int method_answer(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	_cleanup_(secret_freep) struct secret *secret = NULL;
	const struct service *s = arg;
	char problem[256] = "the answer cannot be read";
	struct worker_answer answer;
	int r = message_read(m, MESSAGE_ANSWER, &answer, problem, sizeof(problem));

	if (r == -EINVAL)
		return set_error(error, r, problem);
	if (r < 0)
		return r;
	if (answer.error >= ERROR_END)
		return set_error(error, -EINVAL, "there is no such error");
	r = read_secret(m, &secret);
	control_answer(s->control, answer.number, r < 0 ? r : -(int)answer.error, TAKE_PTR(secret));
	return r < 0 ? r : sd_bus_reply_method_return(m, NULL);
}

static int method_stop(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct service *s = arg;

	(void)error;
	control_stop(s->control);
	return sd_bus_reply_method_return(m, NULL);
}

static int method_quit(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct service *s = arg;

	(void)error;
	control_quit(s->control);
	return sd_bus_reply_method_return(m, NULL);
}

static int method_set_limits(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct service *s = arg;
	struct worker_limits limits;
	int r = sd_bus_message_read(m, "ttt", &limits.rate, &limits.hotzone_max,
				    &limits.stall_target_usec);

	(void)error;
	if (r < 0)
		return r;
	control_set_limits(s->control, &limits);
	return sd_bus_reply_method_return(m, NULL);
}

static int method_set_governor(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct service *s = arg;
	struct governor_config governor;
	const char *mode;
	int r = sd_bus_message_read(m, "sttt", &mode, &governor.rate_min, &governor.rate_max,
				    &governor.latency_target);

	if (r < 0)
		return r;
	if (governor_mode_parse(mode, &governor.mode) < 0)
		return set_error(error, -EINVAL, "there is no such governor");
	control_set_governor(s->control, &governor);
	return sd_bus_reply_method_return(m, NULL);
}

static int method_set_identity(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct service *s = arg;
	struct identity identity;
	int r = message_read(m, MESSAGE_IDENTITY, &identity, NULL, 0);

	(void)error;
	if (r < 0)
		return r;
	control_set_identity(s->control, &identity);
	if (log_level() < LOG_NOTICE)
		log_set_level(LOG_NOTICE); /* it is no probe any more */
	return sd_bus_reply_method_return(m, NULL);
}

static int method_set_record(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct service *s = arg;
	const char *json;
	char *copy;
	int r = sd_bus_message_read(m, "s", &json);

	if (r < 0)
		return r;
	if (s->n_calls == SERVICE_CALLS_MAX)
		return set_error(error, -EBUSY, "too many calls wait for an answer");
	copy = strdup(json);
	if (!copy)
		return -ENOMEM;
	r = service_keep_call(s, m, control_set_record(s->control, copy));
	return r < 0 ? r : 1;
}

static int method_get_status(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct service *s = arg;
	_cleanup_free_ struct control_state *state = malloc(sizeof(*state));
	struct worker_status status;

	(void)error;
	if (!state)
		return -ENOMEM;
	control_get_state(s->control, state);
	service_fill_status(s, state, &status);
	return service_reply(m, MESSAGE_STATUS, &status);
}

/* While a job has the volume, its own look is the answer; else there is time for a fresh one. */
static int method_inspect(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct service *s = arg;
	_cleanup_free_ struct control_state *state = malloc(sizeof(*state));
	_cleanup_(request_freep) struct work_request *q = request_new(WORKER_INSPECT);
	int r;

	if (!state || !q)
		return -ENOMEM;
	control_get_state(s->control, state);
	if (state->job != WORKER_NONE && state->looked)
		return service_reply_look(m, &state->look, state);
	if (s->n_calls == SERVICE_CALLS_MAX)
		return set_error(error, -EBUSY, "too many calls wait for an answer");
	r = submit(s, TAKE_PTR(q), error);
	if (r < 0)
		return r;
	r = service_keep_call(s, m, 0);
	return r < 0 ? r : 1;
}

const sd_bus_vtable service_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Inspect", "", "a{sv}", method_inspect, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Unlock", "ha{sv}", "", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("UseProvider", "a{sv}", "", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Adopt", "hh", "", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Lock", "", "", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Check", "a{sv}", "", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Prepare", "a{sv}", "", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Undo", "a{sv}", "", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Convert", "a{sv}", "", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Recover", "a{sv}", "", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Reverse", "a{sv}", "", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("RunInForeground", "a{sv}", "", method_run_in_foreground,
		      SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Answer", "a{sv}ah", "", method_answer, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Stop", "", "", method_stop, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("SetLimits", "ttt", "", method_set_limits, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("SetGovernor", "sttt", "", method_set_governor, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("SetIdentity", "a{sv}", "", method_set_identity, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("SetRecord", "s", "", method_set_record, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("GetStatus", "", "a{sv}", method_get_status, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Quit", "", "", method_quit, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_SIGNAL("Progress", "a{sv}", 0),
	SD_BUS_SIGNAL("Done", "sissa{sv}", 0),
	SD_BUS_SIGNAL("KeysAvailable", "hh", 0),
	SD_BUS_SIGNAL("Question", "a{sv}", 0),
	SD_BUS_VTABLE_END,
};
