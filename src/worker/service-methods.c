/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The methods of a service: each makes a request of its call, and answers at once where it can. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "util/checked.h"
#include "util/log.h"
#include "util/text.h"
#include "worker/service-bus.h"
#include "worker/service-internal.h"

/*
 * An entry of an a{sv} and where it goes; the type is that of the bus. Names of files and keys need
 * not be valid text.
 */
#define BYTES 'a' /* s, or ay without a zero */
struct option {
	const char *name;
	char type;
	size_t where;
};

#define OPTION(name, type, field)                                                                  \
	{                                                                                          \
		name, type, offsetof(struct request, field)                                        \
	}

static const struct option unlock_options[] = {
	OPTION("Type", 's', type),
	OPTION("Keyslot", 'i', keyslot),
	{},
};

static const struct option provider_options[] = {
	OPTION("Provider", 's', provider), OPTION("Path", BYTES, path),
	OPTION("Offset", 't', offset),     OPTION("Size", 't', size),
	OPTION("Name", BYTES, name),       OPTION("Description", BYTES, description),
	OPTION("Token", 'i', token),       OPTION("Keyslot", 'i', keyslot),
	OPTION("Timeout", 't', timeout),   {},
};

/* What it is read into is the same for all that may convert. */
#define RUN_OPTIONS                                                                                \
	OPTION("SkipUnwritten", 'b', skip_unwritten), OPTION("Verify", 'b', verify),               \
		OPTION("LeastSequence", 't', least_sequence)

static const struct option run_options[] = {RUN_OPTIONS, {}};

static const struct option prepare_options[] = {
	OPTION("Cipher", 's', cipher),
	OPTION("KeySize", 'u', key_size),
	OPTION("SectorSize", 'u', sector_size),
	OPTION("KeepKey", 'b', keep_key),
	OPTION("Resilience", 's', resilience),
	OPTION("ResilienceHash", 's', resilience_hash),
	OPTION("Keyslot", 'i', keyslot),
	OPTION("LoseKeyslots", 'b', lose_keyslots),
	OPTION("Pbkdf", 's', pbkdf),
	OPTION("PbkdfHash", 's', pbkdf_hash),
	OPTION("PbkdfIterations", 'u', pbkdf_iterations),
	OPTION("PbkdfMemory", 'u', pbkdf_memory_kib),
	OPTION("PbkdfParallel", 'u', pbkdf_parallel),
	OPTION("PbkdfTime", 'u', pbkdf_time_ms),
	OPTION("ForceOffline", 'b', force_offline),
	OPTION("MayWeaken", 'b', may_weaken),
	OPTION("Side", 's', side),
	RUN_OPTIONS,
	{},
};

/* @text is valid UTF-8: an error with any other text cannot be sent, and ends the connection. */
static int set_error(sd_bus_error *error, int r, const char *text)
{
	char name[128];

	(void)snprintf(name, sizeof(name), SERVICE_ERROR_PREFIX "%s", service_error_name(r));
	return sd_bus_error_set(error, name, text);
}

static int read_text(sd_bus_message *m, char **where)
{
	const char *text;
	int r = sd_bus_message_read_basic(m, 's', &text);

	if (r < 0)
		return r;
	free(*where);
	*where = strdup(text);
	return *where ? 0 : -ENOMEM;
}

static int read_bytes(sd_bus_message *m, char **where)
{
	const void *bytes;
	size_t size;
	int r = sd_bus_message_read_array(m, 'y', &bytes, &size);

	if (r < 0)
		return r;
	if (size > 0 && memchr(bytes, '\0', size))
		return -EINVAL;
	free(*where);
	*where = strndup(size > 0 ? bytes : "", size);
	return *where ? 0 : -ENOMEM;
}

static int read_boolean(sd_bus_message *m, bool *where)
{
	int value;
	int r = sd_bus_message_read_basic(m, 'b', &value);

	*where = r >= 0 && value;
	return r;
}

/* @contents: the type that it has. */
static int read_value(sd_bus_message *m, const char *contents, void *where)
{
	switch (*contents) {
	case 's':
		return read_text(m, where);
	case BYTES:
		return read_bytes(m, where);
	case 'b':
		return read_boolean(m, where);
	default:
		return sd_bus_message_read_basic(m, *contents, where);
	}
}

static bool is_of_type(const char *contents, char type)
{
	if (type == BYTES && strcmp(contents, "ay") == 0)
		return true;
	return strlen(contents) == 1 && *contents == (type == BYTES ? 's' : type);
}

/* @seen: bit n for options[n]; none comes twice. */
static int read_option(sd_bus_message *m, const struct option *options, struct request *q,
		       uint32_t *seen, sd_bus_error *error)
{
	const struct option *o = options;
	const char *name, *contents;
	char text[256], kind;
	int r = sd_bus_message_read_basic(m, 's', &name);

	if (r < 0)
		return r;
	while (o->name && strcmp(o->name, name) != 0)
		o++;
	r = sd_bus_message_peek_type(m, &kind, &contents);
	if (r < 0)
		return r;
	if (!o->name || !is_of_type(contents, o->type) || *seen & UINT32_C(1) << (o - options)) {
		(void)text_format(text, sizeof(text),
				  "there is no option \"%.100s\" of type %.20s, or it comes twice",
				  name, contents);
		return set_error(error, -EINVAL, text);
	}
	*seen |= UINT32_C(1) << (o - options);
	r = sd_bus_message_enter_container(m, 'v', contents);
	if (r >= 0)
		r = read_value(m, contents, (char *)q + o->where);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_options(sd_bus_message *m, const struct option *options, struct request *q,
			sd_bus_error *error)
{
	uint32_t seen = 0;
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	if (r < 0)
		return r;
	while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		r = read_option(m, options, q, &seen, error);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
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

static int submit(struct service *s, struct request *q, sd_bus_error *error)
{
	const enum service_job job = q->job;
	int r = control_submit(s->control, q);

	if (r == -EBUSY)
		return set_error(error, r, "another job of this worker is not done yet");
	if (r == -ECANCELED)
		return set_error(error, r, "this worker is about to end");
	return r == 0 && job == JOB_CONVERT ? service_start_progress(s) : r;
}

/* Reads what @job takes, submits it, and says that it was accepted. */
static int accept_job(sd_bus_message *m, struct service *s, enum service_job job, unsigned n_fds,
		      const struct option *options, sd_bus_error *error)
{
	_cleanup_(request_freep) struct request *q = request_new(job);
	int r = 0;

	if (!q)
		return -ENOMEM;
	for (unsigned i = 0; r >= 0 && i < n_fds; i++)
		r = read_fd(m, &q->fd[i]);
	if (r >= 0 && options)
		r = read_options(m, options, q, error);
	if (r < 0)
		return r;
	if (q->keyslot < -1 || q->keyslot >= (int32_t)LUKS_MAX_KEYSLOTS)
		return set_error(error, -EINVAL, "Keyslot must be between 0 and 31");
	r = submit(s, TAKE_PTR(q), error);
	return r < 0 ? r : sd_bus_reply_method_return(m, NULL);
}

static int method_unlock(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, JOB_UNLOCK, 1, unlock_options, error);
}

static int method_use_provider(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, JOB_USE_PROVIDER, 0, provider_options, error);
}

static int method_adopt(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, JOB_ADOPT, 2, NULL, error);
}

static int method_lock(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, JOB_LOCK, 0, NULL, error);
}

static int method_check(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, JOB_CHECK, 0, prepare_options, error);
}

static int method_prepare(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, JOB_PREPARE, 0, prepare_options, error);
}

static int method_undo(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, JOB_UNDO, 0, run_options, error);
}

static int method_convert(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, JOB_CONVERT, 0, run_options, error);
}

static int method_recover(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, JOB_RECOVER, 0, run_options, error);
}

static int method_reverse(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	return accept_job(m, arg, JOB_REVERSE, 0, run_options, error);
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
				      service_job_name(state->job), "Version", "s", PACKAGE_VERSION,
				      "Unlocked", "b", (int)state->unlocked, "Passphrases", "u",
				      state->passphrases, "RateLimit", "t", state->limits.rate,
				      "HotzoneMax", "t", state->limits.hotzone_max, "StallTarget",
				      "t", state->limits.stall_target);

	if (r >= 0)
		r = sd_bus_message_append(m, "{sv}{sv}", "SkipUnwritten", "b",
					  (int)state->skip_unwritten, "Verify", "b",
					  (int)state->verify);

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
	_cleanup_(request_freep) struct request *q = request_new(JOB_INSPECT);
	int r;

	if (!state || !q)
		return -ENOMEM;
	control_get_state(s->control, state);
	if (state->job != JOB_NONE && state->looked)
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
