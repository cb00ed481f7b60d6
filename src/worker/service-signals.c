/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a service sends by itself, and what looks and progress are on the bus. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "util/checked.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/path-text.h"
#include "model/bus-text.h"
#include "proto/service-bus.h"
#include "worker/service-internal.h"

#define UNREAD_MAX 16

/* One entry of a dictionary, with a value of a basic type. */
static int append(sd_bus_message *m, const char *key, const char *type, ...)
{
	va_list ap;
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", key);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', type);
	if (r >= 0) {
		va_start(ap, type);
		r = sd_bus_message_appendv(m, type, ap);
		va_end(ap);
	}
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int open_entry(sd_bus_message *m, const char *key, const char *type)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", key);
	return r < 0 ? r : sd_bus_message_open_container(m, 'v', type);
}

static int close_entry(sd_bus_message *m)
{
	int r = sd_bus_message_close_container(m);

	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_text(sd_bus_message *m, const char *key, const char *text)
{
	int r = open_entry(m, key, "s");

	if (r >= 0)
		r = bus_append_text(m, text);
	return r < 0 ? r : close_entry(m);
}

static int append_path(sd_bus_message *m, const char *key, const char *path)
{
	_cleanup_free_ char *text = path_to_text(path);

	return text ? append_text(m, key, text) : -ENOMEM;
}

/* The numbers of the bits that are set. */
static int append_bits(sd_bus_message *m, const char *key, uint32_t bits)
{
	uint32_t numbers[32];
	size_t n = 0;
	int r = open_entry(m, key, "au");

	for (uint32_t i = 0; i < 32; i++)
		if (bits & UINT32_C(1) << i)
			numbers[n++] = i;
	if (r >= 0)
		r = sd_bus_message_append_array(m, 'u', numbers, n * sizeof(numbers[0]));
	return r < 0 ? r : close_entry(m);
}

static int append_token(sd_bus_message *m, uint32_t id, const char *type)
{
	int r = sd_bus_message_open_container(m, 'e', "us");

	if (r >= 0)
		r = sd_bus_message_append(m, "u", id);
	if (r >= 0)
		r = bus_append_text(m, type);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_tokens(sd_bus_message *m, const struct look *l)
{
	int r = open_entry(m, "Tokens", "a{us}");

	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "{us}");
	for (unsigned i = 0; r >= 0 && i < l->n_tokens; i++)
		r = append_token(m, l->token[i].id, l->token[i].type);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : close_entry(m);
}

static int append_disks(sd_bus_message *m, const struct look *l)
{
	int r = open_entry(m, "Disks", "as");

	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "s");
	for (unsigned i = 0; r >= 0 && i < l->disks.n; i++)
		r = bus_append_text(m, l->disks.name[i]);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : close_entry(m);
}

static int append_sides(sd_bus_message *m, const struct luks_reenc *reenc)
{
	int r = append_text(m, "OldCipher", reenc->old_side.cipher);

	if (r >= 0)
		r = append_text(m, "NewCipher", reenc->new_side.cipher);
	if (r >= 0)
		r = append(m, "OldSectorSize", "u", reenc->old_side.sector_size);
	return r < 0 ? r : append(m, "NewSectorSize", "u", reenc->new_side.sector_size);
}

static int append_new_key(sd_bus_message *m, const struct look *l)
{
	int r = append(m, "NewKeySize", "u", l->new_key.size);

	if (r >= 0)
		r = append(m, "KeepKey", "b", (int)l->status.reenc.keep_key);
	if (r >= 0)
		r = append_text(m, "NewPbkdf", l->new_key.pbkdf);
	return r < 0 ? r : append_text(m, "NewPbkdfHash", l->new_key.pbkdf_hash);
}

static int append_reencryption(sd_bus_message *m, const struct look *l)
{
	const struct luks_reenc *reenc = &l->status.reenc;
	const bool none = reenc->state == LUKS_REENC_NONE;
	int r = append_text(m, "Reencryption", luks_reenc_state_name(reenc->state));

	if (r >= 0)
		r = append_text(m, "Mode", none ? "" : luks_reenc_mode_name(reenc->mode));
	if (r >= 0)
		r = append_text(m, "Direction", none ? "" : luks_direction_name(reenc->direction));
	if (r >= 0)
		r = append_text(m, "Resilience",
				none ? "" : luks_resilience_name(reenc->resilience));
	if (r >= 0)
		r = append_text(m, "ResilienceHash", none ? "" : reenc->hash);
	if (r >= 0)
		r = append_sides(m, reenc);
	return r < 0 ? r : append_new_key(m, l);
}

static int append_position(sd_bus_message *m, uint64_t total, uint64_t done,
			   const struct position *p, enum luks_direction direction)
{
	const uint64_t hotzone =
		direction == LUKS_FORWARD ? p->boundary : p->boundary - p->hotzone_size;
	int r = append(m, "BytesTotal", "t", total);

	if (r >= 0)
		r = append(m, "BytesDone", "t", done);
	if (r >= 0)
		r = append(m, "HotzoneOffset", "t", hotzone);
	return r < 0 ? r : append(m, "HotzoneSize", "t", p->hotzone_size);
}

/* While a run goes on, where it is; else where the header says it was left. */
static int append_current_position(sd_bus_message *m, const struct look *l,
				   const struct control_state *state)
{
	const struct luks_reenc *reenc = &l->status.reenc;
	const struct position left = {reenc->boundary, reenc->hot_size};

	if (state->converting)
		return append_position(m, reenc->data_size, state->progress.converted,
				       &state->progress.position, reenc->direction);
	return append_position(m, reenc->data_size, l->status.bytes_done, &left, reenc->direction);
}

static int append_nodes(sd_bus_message *m, const struct look *l)
{
	int r = append(m, "DeviceNumber", "t", l->node.device);

	if (r >= 0)
		r = append(m, "DeviceInode", "t", l->node.inode);
	if (r >= 0)
		r = append(m, "HeaderNumber", "t", l->header_node.device);
	return r < 0 ? r : append(m, "HeaderInode", "t", l->header_node.inode);
}

/*
 * If cryptsetup worked without resilience and was killed, data behind the position is damaged. Only
 * a person may resume such a re-encryption.
 */
static bool is_supported(const struct luks_status *s)
{
	return !s->only_cryptsetup &&
	       (s->reenc.state == LUKS_REENC_NONE || s->reenc.resilience != LUKS_RESILIENCE_NONE);
}

int service_append_look(sd_bus_message *m, const struct look *l, const struct control_state *state)
{
	int r = append_text(m, "UUID", l->status.uuid);

	if (r >= 0)
		r = append_path(m, "Device", l->device);
	if (r >= 0)
		r = append_path(m, "HeaderDevice", l->header_device);
	if (r >= 0)
		r = append_nodes(m, l);
	if (r >= 0)
		r = append_text(m, "Name", l->name);
	if (r >= 0)
		r = append_reencryption(m, l);
	if (r >= 0)
		r = append_current_position(m, l, state);
	if (r >= 0)
		r = append(m, "Stacked", "b", (int)l->stacked);
	if (r >= 0)
		r = append(m, "Supported", "b", (int)is_supported(&l->status));
	if (r >= 0)
		r = append_bits(m, "Keyslots", l->keyslots);
	if (r >= 0)
		r = append_tokens(m, l);
	if (r >= 0)
		r = append_text(m, "Record", l->record);
	if (r >= 0)
		r = append_text(m, "RecordTrust", record_trust_name(l->trust));
	if (r >= 0)
		r = append(m, "Sequence", "t", l->status.seqid);
	if (r >= 0)
		r = append_text(m, "OldSide", l->old_side);
	if (r >= 0)
		r = append_text(m, "NewSide", l->new_side);
	return r < 0 ? r : append_disks(m, l);
}

static int append_plan(sd_bus_message *m, const struct report *p)
{
	const struct luks_begin_plan *plan = &p->plan;
	uint32_t kept = 0, lost = 0;
	int r;

	for (size_t i = 0; i < plan->n_slots; i++)
		*(plan->slots[i].kept ? &kept : &lost) |= UINT32_C(1) << plan->slots[i].keyslot;
	r = append(m, "OldKeySize", "u", plan->old_key_size);
	if (r >= 0)
		r = append_bits(m, "KeptKeyslots", kept);
	return r < 0 ? r : append_bits(m, "LostKeyslots", lost);
}

static int append_result(sd_bus_message *m, const struct report *p)
{
	int r = p->planned ? append_plan(m, p) : 0;

	if (r >= 0 && (p->job == WORKER_UNLOCK || p->job == WORKER_USE_PROVIDER))
		r = append_bits(m, "OpenedKeyslots", p->keyslots);
	if (r >= 0 && p->job == WORKER_CONVERT && p->error == 0)
		r = append_text(m, "Outcome", p->stopped ? "stopped" : "finished");
	if (r < 0 || p->job != WORKER_CHECK)
		return r;
	r = append_text(m, "Obstacle", p->obstacle_message);
	if (r >= 0)
		r = append_text(m, "ObstacleName",
				p->obstacle < 0 ? service_error_name(p->obstacle) : "");
	return r < 0 ? r : append(m, "EstimatedTime", "t", p->estimated_usec);
}

static int fill_done(sd_bus_message *m, const struct report *p, const struct control_state *state)
{
	int r = sd_bus_message_append(m, "sis", worker_job_name(p->job), p->error,
				      p->error < 0 ? service_error_name(p->error) : "");

	if (r >= 0)
		r = bus_append_text(m, p->error < 0 ? p->message : "");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0 && p->looked)
		r = service_append_look(m, &p->look, state);
	if (r >= 0)
		r = append_result(m, p);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int new_signal(struct service *s, const char *name, sd_bus_message **ret)
{
	return s->bus ? sd_bus_message_new_signal(s->bus, ret, SERVICE_PATH, SERVICE_INTERFACE,
						  name)
		      : -ENOTCONN;
}

static void send_done(struct service *s, const struct report *p)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	struct control_state *state = malloc(sizeof(*state));
	int r = state ? new_signal(s, "Done", &m) : -ENOMEM;

	if (r >= 0) {
		control_get_state(s->control, state);
		r = fill_done(m, p, state);
	}
	free(state);
	if (r >= 0)
		r = sd_bus_send(s->bus, m, NULL);
	if (r < 0 && r != -ENOTCONN)
		log_warning_errno(r, "the end of a job could not be told");
}

static int send_keys(struct service *s, const struct report *p)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r = new_signal(s, "KeysAvailable", &m);

	if (r >= 0)
		r = sd_bus_message_append(m, "hh", p->key_fd[0], p->key_fd[1]);
	if (r >= 0)
		r = sd_bus_send(s->bus, m, NULL);
	if (r < 0 && r != -ENOTCONN)
		log_warning_errno(r, "volume keys could not be handed over");
	return r;
}

void service_send_kept_keys(struct service *s)
{
	if (s->kept_keys && send_keys(s, s->kept_keys) >= 0)
		s->kept_keys = report_free(s->kept_keys);
}

static int reply_look(sd_bus_message *call, const struct report *p,
		      const struct control_state *state)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_return(call, &m);

	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0)
		r = service_append_look(m, &p->look, state);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_send(NULL, m, NULL);
}

/* The name says less than the errno, and an errno is what Done has, too. */
static int reply_error(sd_bus_message *call, const struct report *p)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	char name[128];
	int r;

	(void)snprintf(name, sizeof(name), SERVICE_ERROR_PREFIX "%s", service_error_name(p->error));
	r = sd_bus_message_new_method_errorf(call, &m, name, "%s", p->message);
	if (r >= 0)
		r = sd_bus_message_append(m, "i", p->error);
	return r < 0 ? r : sd_bus_send(NULL, m, NULL);
}

static int reply(struct service *s, const struct service_call *call, const struct report *p)
{
	struct control_state *state;
	int r;

	if (p->error < 0) {
		return reply_error(call->message, p);
	}
	if (call->record_serial > 0)
		return sd_bus_reply_method_return(call->message, NULL);
	state = malloc(sizeof(*state));
	if (!state)
		return -ENOMEM;
	control_get_state(s->control, state);
	r = reply_look(call->message, p, state);
	free(state);
	return r;
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

/* @report is taken over when it is kept for the next connection. */
static void send_report(struct service *s, struct report **report)
{
	const struct report *p = *report;

	switch (p->kind) {
	case REPORT_KEYS:
		if (send_keys(s, p) != -ENOTCONN)
			break;
		report_free(s->kept_keys);
		s->kept_keys = TAKE_PTR(*report);
		break;
	case REPORT_RECORD:
		reply_calls(s, p);
		break;
	case REPORT_DONE:
		if (p->job == WORKER_INSPECT) {
			reply_calls(s, p);
		} else if (p->job != WORKER_LOCK) {
			service_send_progress(s);
			control_job_is_over(s->control);
			send_done(s, p);
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

int service_append_progress(sd_bus_message *m, const struct service *s,
			    const struct control_state *state)
{
	const struct engine_progress *p = &state->progress;
	int r = append_position(m, p->total, p->converted, &p->position,
				state->look.status.reenc.direction);

	if (r >= 0)
		r = append(m, "Rate", "t", s->rate);
	if (r >= 0)
		r = append(m, "LongestStall", "t", p->frozen.max);
	if (r >= 0)
		r = append(m, "StallPercentile999", "t", histogram_percentile(&p->frozen, 999));
	if (r >= 0)
		r = append(m, "LongestSuspend", "t", p->freezing.max);
	if (r >= 0)
		r = append(m, "UnavoidableStall", "t", p->unavoidable_stall);
	if (r >= 0)
		r = append(m, "GovernorRate", "t", state->governor_rate);
	return r < 0 ? r : append_text(m, "GovernorReason", state->governor_reason);
}

/* Who does not read what there is already gets no more of it. */
static int send_progress(struct service *s, const struct control_state *state)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	uint64_t queued;
	int r;

	if (s->bus && sd_bus_get_n_queued_write(s->bus, &queued) >= 0 && queued > UNREAD_MAX)
		return -ENOBUFS;
	r = new_signal(s, "Progress", &m);

	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0)
		r = service_append_progress(m, s, state);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
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

void service_send_progress(struct service *s)
{
	struct control_state *state = malloc(sizeof(*state));
	const struct engine_progress *p;

	if (!state)
		return;
	control_get_state(s->control, state);
	p = &state->progress;
	if (p->converted != s->last_converted ||
	    p->position.boundary != s->last_position.boundary ||
	    p->position.hotzone_size != s->last_position.hotzone_size) {
		note_progress(s, p);
		if (send_progress(s, state) < 0 && s->bus)
			log_debug("progress could not be told");
	}
	free(state);
}
