/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verbs behind org.recryptd1.Volume. */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "daemon/bus/bus-call.h"
#include "daemon/bus/bus-internal.h"
#include "daemon/bus/bus-options.h"
#include "model/settings-bus.h"
#include "util/checked.h"

/* The volume that the call is about; it may have gone away since it came in. */
static int volume_of(const struct call *c, struct failure *f, struct volume **ret)
{
	*ret = volume_at(c->bus, sd_bus_message_get_path(c->message));
	return *ret ? 0 : failure_set(f, -ENODEV, "the volume is not known any more");
}

static int parse_nothing(sd_bus_message *m, struct arguments *a, struct failure *f)
{
	(void)a;
	return read_options(m, no_settings, NULL, f);
}

static int parse_rotate(sd_bus_message *m, struct arguments *a, struct failure *f)
{
	return read_rotate_options(m, &a->rotate, &a->request, f);
}

static int run_rotate(struct call *c, const struct arguments *a, struct failure *f)
{
	struct volume *v;
	struct job *j;
	int r;

	r = volume_of(c, f, &v);
	if (r < 0)
		return r;
	r = volume_rotate(v, &a->rotate, f, &j);
	if (r < 0)
		return r;
	call_reply_job(c, j);
	return 0;
}

static int parse_suspend(sd_bus_message *m, struct arguments *a, struct failure *f)
{
	int r = read_reason(m, f, &a->text);

	return r < 0 ? r : read_request_id(m, &a->request, f);
}

static int run_suspend(struct call *c, const struct arguments *a, struct failure *f)
{
	struct volume *v;
	int r = volume_of(c, f, &v);

	return r < 0 ? r : volume_suspend(v, a->text, f, call_done, c);
}

static int parse_resume(sd_bus_message *m, struct arguments *a, struct failure *f)
{
	return read_resume_options(m, &a->resume, &a->request, f);
}

static int run_resume(struct call *c, const struct arguments *a, struct failure *f)
{
	struct volume *v;
	int r = volume_of(c, f, &v);

	return r < 0 ? r : volume_resume(v, &a->resume, f, call_done, c);
}

static int parse_cancel(sd_bus_message *m, struct arguments *a, struct failure *f)
{
	return read_cancel_options(m, &a->cancel, &a->request, f);
}

static int run_cancel(struct call *c, const struct arguments *a, struct failure *f)
{
	struct volume *v;
	struct job *j;
	int r;

	r = volume_of(c, f, &v);
	if (r < 0)
		return r;
	r = volume_cancel(v, &a->cancel, f, &j);
	if (r < 0)
		return r;
	call_reply_job(c, j);
	return 0;
}

static int parse_set_rate_limit(sd_bus_message *m, struct arguments *a, struct failure *f)
{
	int r = read_arguments(m, f, "t", &a->rate);

	return r < 0 ? r : read_request_id(m, &a->request, f);
}

static int run_set_rate_limit(struct call *c, const struct arguments *a, struct failure *f)
{
	struct volume *v;
	int r = volume_of(c, f, &v);

	return r < 0 ? r : volume_set_rate_limit(v, a->rate, f, call_done, c);
}

static int parse_unlock(sd_bus_message *m, struct arguments *a, struct failure *f)
{
	int r = read_arguments(m, f, "h", &a->fd);

	a->unlock.keyslot = -1;
	return r < 0 ? r : read_options(m, unlock_settings, &a->unlock, f);
}

static int run_unlock(struct call *c, const struct arguments *a, struct failure *f)
{
	struct volume *v;
	int r = volume_of(c, f, &v);

	return r < 0 ? r : volume_unlock(v, a->fd, &a->unlock, f, call_done, c);
}

static int run_lock(struct call *c, const struct arguments *a, struct failure *f)
{
	struct volume *v;
	int r = volume_of(c, f, &v);

	(void)a;
	return r < 0 ? r : volume_lock(v, f, call_done, c);
}

static int run_accept(struct call *c, const struct arguments *a, struct failure *f)
{
	struct volume *v;
	int r = volume_of(c, f, &v);

	(void)a;
	return r < 0 ? r : volume_accept(v, f, call_done, c);
}

#define FOUND(n, k, field)                                                                         \
	{                                                                                          \
		.name = n, .kind = SETTING_##k, .where = offsetof(struct worker_end, field),       \
		.always = true                                                                     \
	}

static const struct setting check_rows[] = {
	FOUND("Obstacle", BUFFER, check.obstacle.text),
	FOUND("ObstacleName", BUFFER, check.obstacle.name),
	FOUND("OldCipher", BUFFER, look.parameters.old_cipher),
	FOUND("NewCipher", BUFFER, look.parameters.new_cipher),
	FOUND("OldKeySize", U32, check.old_key_size),
	FOUND("NewKeySize", U32, look.parameters.new_key_size),
	FOUND("OldSectorSize", U32, look.parameters.old_sector_size),
	FOUND("NewSectorSize", U32, look.parameters.new_sector_size),
	FOUND("BytesTotal", U64, look.progress.bytes_total),
	FOUND("EstimatedTime", U64, check.estimated_usec),
	FOUND("LostKeyslots", BITS, check.lost),
	FOUND("KeptKeyslots", BITS, check.kept),
	{},
};

static int append_check(sd_bus_message *m, const struct worker_end *end)
{
	const struct settings_source sources[] = {{check_rows, end}, {}};

	return settings_append(m, sources, SETTINGS_EVERYWHERE);
}

static void check_done(struct volume *v, int error, const struct failure *f,
		       const struct worker_end *end, void *userdata)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	struct call *c = userdata;
	struct worker_end shown = *end;

	if (error < 0) {
		call_reply_failure(c, error, f);
		return;
	}
	shown.check.estimated_usec =
		volume_estimate(v, end->look.progress.bytes_total, end->check.estimated_usec);
	reply = call_new_reply(c);
	if (reply)
		call_reply_message(c, reply, append_check(reply, &shown));
}

static int parse_check(sd_bus_message *m, struct arguments *a, struct failure *f)
{
	return read_rotate_options(m, &a->rotate, NULL, f);
}

static int run_check(struct call *c, const struct arguments *a, struct failure *f)
{
	struct volume *v;
	int r = volume_of(c, f, &v);

	return r < 0 ? r : volume_check(v, &a->rotate, f, check_done, c);
}

static const struct verb verbs[] = {
	{"Rotate", "org.recryptd1.rotate", parse_rotate, run_rotate},
	{"Suspend", "org.recryptd1.suspend", parse_suspend, run_suspend},
	{"Resume", "org.recryptd1.resume", parse_resume, run_resume},
	{"Cancel", "org.recryptd1.cancel", parse_cancel, run_cancel},
	{"SetRateLimit", "org.recryptd1.set-rate-limit", parse_set_rate_limit, run_set_rate_limit},
	{"Unlock", "org.recryptd1.unlock", parse_unlock, run_unlock},
	{"Lock", "org.recryptd1.lock", parse_nothing, run_lock},
	{"AcceptState", "org.recryptd1.accept-state", parse_nothing, run_accept},
	{"Check", "org.recryptd1.check", parse_check, run_check},
};

int volume_on_verb(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const struct volume *v = userdata;
	const struct volume_slot *slot = v->bus_slot;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i].member, sd_bus_message_get_member(m)) == 0)
			return call_begin(slot->bus, m, &verbs[i], error);
	return 0;
}
