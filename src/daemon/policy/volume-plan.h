/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a volume is to do next, from what is known and wished. Pure: no state of its own, so a new
 * manager that knows the same facts goes on in the same way.
 */
#pragma once

#include <stdbool.h>

#include "proto/messages.h"

enum volume_state {
	VOLUME_IDLE,
	VOLUME_QUEUED, /* waits for its turn (MaxConcurrent, MaxConcurrentPerDisk) */
	VOLUME_PREPARING,
	VOLUME_RUNNING,
	VOLUME_SUSPENDED, /* in re-encryption, nothing frozen, no helper device, a clean header */
	VOLUME_REVERSING, /* runs back to the old key */
	VOLUME_FINISHING, /* all is converted; the old key is being destroyed */
	VOLUME_LOCKED,    /* in re-encryption, and a key is awaited */
	VOLUME_FAILED,    /* in re-encryption, and an error that needs a person: state_reason */
	VOLUME_ABSENT,    /* remembered, and not where it was: nothing is known of its header */
	VOLUME_STATE_COUNT
};

/* "idle", "queued", ... as on the bus. */
const char *volume_state_name(enum volume_state state);

enum volume_action {
	ACTION_NONE,
	ACTION_GET_KEYS, /* from the fd store or the provider */
	ACTION_PREPARE,
	ACTION_RECOVER,
	ACTION_UNDO,
	ACTION_REVERSE, /* also while converting: the worker stops first */
	ACTION_CONVERT,
	ACTION_STOP,
};

/* The line that the volume has to stand in (schedule.h). */
enum volume_line {
	LINE_NONE,
	LINE_PREPARE, /* work that takes memory and CPU but not the disk */
	LINE_CONVERT,
};

/* What waits for a person. */
enum volume_trouble_kind {
	TROUBLE_NONE,
	TROUBLE_FAILED,   /* the re-encryption cannot go on */
	TROUBLE_CONFLICT, /* the header does not belong to the record, also at rest */
};

struct volume_facts {
	bool absent;
	enum reencryption reencryption;
	bool supported;
	bool stacked;        /* helpers that a dead worker left */
	bool backward;       /* it leads back to the old key */
	bool something_done; /* some range is converted */
	bool all_done;       /* every range is */
	enum worker_job at_work;
	bool rotation_wanted;         /* one is to begin when none is there */
	bool suspended, cancel, held; /* of the record */
	bool outside;                 /* of its windows */
	bool run_changed;             /* what converts was told other options than hold now */
	bool checking;                /* a dry run waits for what the provider says */
	bool paused;                  /* the host sleeps or the manager ends */
	enum volume_trouble_kind trouble;
	bool keys;         /* at hand */
	bool may_get_keys; /* somebody is being asked, or left to ask */
	bool grouped;      /* it is prepared together with others */
	bool prepare_turn, convert_turn;
};

struct volume_step {
	enum volume_state state;
	enum volume_action action;
	enum volume_line line;
};

struct volume_step volume_decide(const struct volume_facts *f);
