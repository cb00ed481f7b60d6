/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the working thread of a service has found, as the structs of proto/messages.h. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "luks/status.h"
#include "proto/error-name.h"
#include "proto/service-bus.h"
#include "util/checked.h"
#include "util/text.h"
#include "worker/service-internal.h"

#define COPY(field, text) ((void)text_copy(field, sizeof(field), text))

static void fill_position(uint64_t total, uint64_t done, const struct position *p,
			  enum luks_direction direction, struct worker_progress *ret)
{
	ret->bytes_total = total;
	ret->bytes_done = done;
	ret->hotzone_offset =
		direction == LUKS_FORWARD ? p->boundary : p->boundary - p->hotzone_size;
	ret->hotzone_size = p->hotzone_size;
}

/* While a run goes on, where it is; else where the header says it was left. */
static void fill_current_position(const struct look *l, const struct control_state *state,
				  struct worker_progress *ret)
{
	const struct luks_reenc *reenc = &l->status.reenc;
	const struct position left = {reenc->boundary, reenc->hot_size};

	if (state->converting)
		fill_position(reenc->data_size, state->progress.converted,
			      &state->progress.position, reenc->direction, ret);
	else
		fill_position(reenc->data_size, l->status.bytes_done, &left, reenc->direction, ret);
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

static void fill_reencryption(const struct look *l, struct worker_look *ret)
{
	const struct luks_reenc *reenc = &l->status.reenc;
	struct parameters *p = &ret->parameters;

	ret->reencryption = (enum reencryption)reenc->state;
	if (reenc->state != LUKS_REENC_NONE) {
		COPY(p->mode, luks_reenc_mode_name(reenc->mode));
		COPY(p->direction, luks_direction_name(reenc->direction));
		COPY(p->resilience, luks_resilience_name(reenc->resilience));
		COPY(p->resilience_hash, reenc->hash);
	}
	COPY(p->old_cipher, reenc->old_side.cipher);
	COPY(p->new_cipher, reenc->new_side.cipher);
	p->old_sector_size = reenc->old_side.sector_size;
	p->new_sector_size = reenc->new_side.sector_size;
	p->new_key_size = l->new_key.size;
	p->keep_key = reenc->keep_key;
	COPY(p->new_pbkdf, l->new_key.pbkdf);
	COPY(p->new_pbkdf_hash, l->new_key.pbkdf_hash);
}

static int fill_keyslot_types(const struct look *l, struct worker_look *ret)
{
	size_t n = 0;

	ret->keyslot_types = calloc(LUKS_MAX_KEYSLOTS + 1, sizeof(*ret->keyslot_types));
	if (!ret->keyslot_types)
		return -ENOMEM;
	for (unsigned id = 0; id < LUKS_MAX_KEYSLOTS; id++) {
		if (!(l->keyslots & UINT32_C(1) << id))
			continue;
		ret->keyslot_types[n] = strdup(l->bindings.of[id]);
		if (!ret->keyslot_types[n++])
			return -ENOMEM;
	}
	return 0;
}

static int fill_texts(const struct look *l, struct worker_look *ret)
{
	ret->uuid = strdup(l->status.uuid);
	ret->device = strdup(l->device);
	ret->header_device = strdup(l->header_device);
	ret->name = strdup(l->name);
	ret->record = strdup(l->record);
	ret->disks = calloc(l->disks.n + 1, sizeof(*ret->disks));
	if (!ret->uuid || !ret->device || !ret->header_device || !ret->name || !ret->record ||
	    !ret->disks)
		return -ENOMEM;
	for (unsigned i = 0; i < l->disks.n; i++) {
		ret->disks[i] = strdup(l->disks.name[i]);
		if (!ret->disks[i])
			return -ENOMEM;
	}
	return fill_keyslot_types(l, ret);
}

int service_fill_look(const struct look *l, const struct control_state *state,
		      struct worker_look *ret)
{
	int r;

	message_init(MESSAGE_LOOK, ret);
	r = fill_texts(l, ret);
	if (r < 0) {
		message_clear(MESSAGE_LOOK, ret);
		return r;
	}
	ret->node = l->node;
	ret->header_node = l->header_node;
	fill_reencryption(l, ret);
	fill_current_position(l, state, &ret->progress);
	ret->stacked = l->stacked;
	ret->supported = is_supported(&l->status);
	ret->keyslots = l->keyslots;
	ret->open_keyslots = l->open_keyslots;
	if (l->status.reenc.state == LUKS_REENC_NONE)
		ret->missing_keyslots = l->data_keyslots & ~l->open_keyslots;
	ret->trust = l->trust;
	ret->sequence = l->status.seqid;
	COPY(ret->old_side, l->old_side);
	COPY(ret->new_side, l->new_side);
	return 0;
}

static void fill_check(const struct report *p, struct check_result *ret)
{
	const struct luks_begin_plan *plan = &p->plan;

	assert(plan->n_slots <= ARRAY_SIZE(plan->slots));
	for (size_t i = 0; p->planned && i < plan->n_slots; i++)
		*(plan->slots[i].kept ? &ret->kept : &ret->lost) |= UINT32_C(1)
								    << plan->slots[i].keyslot;
	ret->old_key_size = p->planned ? plan->old_key_size : 0;
	if (p->job != WORKER_CHECK)
		return;
	COPY(ret->obstacle.text, p->obstacle_message);
	if (p->obstacle < 0)
		COPY(ret->obstacle.name, error_name(p->obstacle));
	ret->estimated_usec = p->estimated_usec;
}

int service_fill_end(const struct report *p, const struct control_state *state,
		     struct worker_end *ret)
{
	assert(p->kind == REPORT_DONE);
	message_init(MESSAGE_END, ret);
	ret->opened = p->keyslots;
	if (p->job == WORKER_CONVERT && p->error == 0)
		ret->outcome = p->stopped ? OUTCOME_STOPPED : OUTCOME_FINISHED;
	fill_check(p, &ret->check);
	return p->looked ? service_fill_look(&p->look, state, &ret->look) : 0;
}

void service_fill_progress(const struct service *s, const struct control_state *state,
			   struct worker_progress *ret)
{
	const struct engine_progress *p = &state->progress;

	*ret = (struct worker_progress){
		.rate = s->rate,
		.longest_stall_usec = p->frozen.max,
		.stall_999_usec = histogram_percentile(&p->frozen, 999),
		.longest_suspend_usec = p->freezing.max,
		.unavoidable_stall_usec = p->unavoidable_stall,
		.governor_rate = state->governor_rate,
	};
	COPY(ret->governor_reason, state->governor_reason);
	fill_position(p->total, p->converted, &p->position, state->look.status.reenc.direction,
		      ret);
}

void service_fill_status(const struct service *s, const struct control_state *state,
			 struct worker_status *ret)
{
	*ret = (struct worker_status){
		.job = state->job,
		.version = PACKAGE_VERSION,
		.unlocked = state->unlocked,
		.passphrases = state->passphrases,
		.limits = state->limits,
		.run = state->run,
	};
	service_fill_progress(s, state, &ret->progress);
}
