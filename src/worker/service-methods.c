/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The methods of a service: each makes a request of its call, and answers at once where it can. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "model/settings-bus.h"
#include "util/checked.h"
#include "util/log.h"
#include "util/text.h"
#include "proto/service-bus.h"
#include "worker/service-internal.h"

#define ROW(n, k, field)                                                                           \
	{                                                                                          \
		.name = n, .kind = k, .where = offsetof(struct work_request, field)                \
	}

static const struct setting unlock_rows[] = {
	ROW("Type", SETTING_OWNED, type),
	ROW("Keyslot", SETTING_INT, keyslot),
	{},
};

static const struct setting provider_rows[] = {
	ROW("Provider", SETTING_OWNED, provider), ROW("Path", SETTING_BYTES, path),
	ROW("Offset", SETTING_U64, offset),       ROW("Size", SETTING_U64, size),
	ROW("Name", SETTING_BYTES, name),         ROW("Description", SETTING_BYTES, description),
	ROW("Token", SETTING_INT, token),         ROW("Keyslot", SETTING_INT, keyslot),
	ROW("Timeout", SETTING_U64, timeout),     {},
};

/* @text is valid UTF-8: an error with any other text cannot be sent, and ends the connection. */
static int set_error(sd_bus_error *error, int r, const char *text)
{
	char name[128];

	(void)snprintf(name, sizeof(name), SERVICE_ERROR_PREFIX "%s", service_error_name(r));
	return sd_bus_error_set(error, name, text);
}

/* @rows of struct work_request, or NULL; @place of the other settings, or SETTINGS_EVERYWHERE:
 * none. */
struct dictionary {
	const struct setting *rows;
	unsigned place;
};

static int read_dictionary(sd_bus_message *m, const struct dictionary *d, struct work_request *q,
			   sd_bus_error *error)
{
	struct settings_part parts[4] = {}, *p = parts;
	char problem[256] = "the options cannot be read";
	int r;

	if (d->rows)
		*p++ = (struct settings_part){d->rows, q};
	if (d->place & (SETTING_OF_RUN | SETTING_OF_WORKER))
		*p++ = (struct settings_part){run_settings, &q->run};
	if (d->place & SETTING_OF_WORKER)
		*p++ = (struct settings_part){rotation_settings, &q->rotation};
	r = settings_read(m, parts, d->place, problem, sizeof(problem));
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
	return r == 0 && job == WORKER_CONVERT ? service_start_progress(s) : r;
}

/* Reads what @job takes, submits it, and says that it was accepted. */
static int accept_job(sd_bus_message *m, struct service *s, enum worker_job job, unsigned n_fds,
		      const struct dictionary *dictionary, sd_bus_error *error)
{
	_cleanup_(request_freep) struct work_request *q = request_new(job);
	int r = 0;

	if (!q)
		return -ENOMEM;
	for (unsigned i = 0; r >= 0 && i < n_fds; i++)
		r = read_fd(m, &q->fd[i]);
	if (r >= 0 && dictionary)
		r = read_dictionary(m, dictionary, q, error);
	if (r < 0)
		return r;
	if (!is_keyslot(q->keyslot) || !is_keyslot(q->rotation.keyslot))
		return set_error(error, -EINVAL, "Keyslot must be between 0 and 31");
	r = submit(s, TAKE_PTR(q), error);
	return r < 0 ? r : sd_bus_reply_method_return(m, NULL);
}

static const struct dictionary unlock_dictionary = {.rows = unlock_rows};
static const struct dictionary provider_dictionary = {.rows = provider_rows};
static const struct dictionary prepare_dictionary = {.place = SETTING_OF_WORKER};
static const struct dictionary run_dictionary = {.place = SETTING_OF_RUN};

static int method_unlock(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, WORKER_UNLOCK, 1, &unlock_dictionary, error);
}

static int method_use_provider(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, WORKER_USE_PROVIDER, 0, &provider_dictionary, error);
}

static int method_adopt(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, WORKER_ADOPT, 2, NULL, error);
}

static int method_lock(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, WORKER_LOCK, 0, NULL, error);
}

static int method_check(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, WORKER_CHECK, 0, &prepare_dictionary, error);
}

static int method_prepare(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, WORKER_PREPARE, 0, &prepare_dictionary, error);
}

static int method_undo(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, WORKER_UNDO, 0, &run_dictionary, error);
}

static int method_convert(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, WORKER_CONVERT, 0, &run_dictionary, error);
}

static int method_recover(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, WORKER_RECOVER, 0, &run_dictionary, error);
}

static int method_reverse(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, WORKER_REVERSE, 0, &run_dictionary, error);
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
	struct service_limits limits;
	int r = sd_bus_message_read(m, "ttt", &limits.rate, &limits.hotzone_max,
				    &limits.stall_target);

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

/* Entries of a later manager are passed over: what they ask for is more than we know of. */
static int read_identity(sd_bus_message *m, struct identity *ret)
{
	const struct {
		const char *name;
		uint64_t *where;
	} numbers[] = {
		{"DeviceNumber", &ret->data.device},
		{"DeviceInode", &ret->data.inode},
		{"HeaderNumber", &ret->header.device},
		{"HeaderInode", &ret->header.inode},
	};
	const char *name, *uuid;
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		size_t i = 0;

		r = sd_bus_message_read_basic(m, 's', &name);
		if (r < 0)
			return r;
		while (i < ARRAY_SIZE(numbers) && strcmp(numbers[i].name, name) != 0)
			i++;
		if (i < ARRAY_SIZE(numbers)) {
			r = sd_bus_message_read(m, "v", "t", numbers[i].where);
		} else if (strcmp(name, "UUID") == 0) {
			r = sd_bus_message_read(m, "v", "s", &uuid);
			if (r >= 0)
				(void)snprintf(ret->uuid, sizeof(ret->uuid), "%s", uuid);
		} else {
			r = sd_bus_message_skip(m, "v");
		}
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int method_set_identity(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct service *s = arg;
	struct identity identity = {};
	int r = read_identity(m, &identity);

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

static int reply_state(sd_bus_message *m, struct service *s, const struct control_state *state,
		       int (*fill)(sd_bus_message *m, const struct service *s,
				   const struct control_state *state))
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(m, &reply);

	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "{sv}");
	if (r >= 0)
		r = fill(reply, s, state);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int fill_look(sd_bus_message *m, const struct service *s, const struct control_state *state)
{
	(void)s;
	return service_append_look(m, &state->look, state);
}

static int fill_status(sd_bus_message *m, const struct service *s,
		       const struct control_state *state)
{
	int r = sd_bus_message_append(m, "{sv}{sv}{sv}{sv}{sv}{sv}{sv}", "Job", "s",
				      worker_job_name(state->job), "Version", "s", PACKAGE_VERSION,
				      "Unlocked", "b", (int)state->unlocked, "Passphrases", "u",
				      state->passphrases, "RateLimit", "t", state->limits.rate,
				      "HotzoneMax", "t", state->limits.hotzone_max, "StallTarget",
				      "t", state->limits.stall_target);

	if (r >= 0)
		r = settings_append_entries(m, run_settings, &state->run, SETTING_OF_STATUS);
	return r < 0 ? r : service_append_progress(m, s, state);
}

static int method_get_status(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct service *s = arg;
	_cleanup_free_ struct control_state *state = malloc(sizeof(*state));

	(void)error;
	if (!state)
		return -ENOMEM;
	control_get_state(s->control, state);
	return reply_state(m, s, state, fill_status);
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
		return reply_state(m, s, state, fill_look);
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
	SD_BUS_METHOD("Unlock", "ha{sv}", "", method_unlock, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("UseProvider", "a{sv}", "", method_use_provider, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Adopt", "hh", "", method_adopt, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Lock", "", "", method_lock, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Check", "a{sv}", "", method_check, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Prepare", "a{sv}", "", method_prepare, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Undo", "a{sv}", "", method_undo, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Convert", "a{sv}", "", method_convert, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Recover", "a{sv}", "", method_recover, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Reverse", "a{sv}", "", method_reverse, SD_BUS_VTABLE_UNPRIVILEGED),
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
	SD_BUS_VTABLE_END,
};
