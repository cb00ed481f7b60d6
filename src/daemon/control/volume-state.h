/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A slot of the volume: its state as callers read it, and what people were told of it. */
#pragma once

#include <stdbool.h>

#include "daemon/policy/volume-plan.h"
#include "daemon/state/caller.h"

struct volume;

struct volume_status {
	enum volume_state state;
	char reason[512];    /* of suspended, locked, failed, queued ...; else "" */
	char error[64];      /* of failed: the last part of the error's name; else "" */
	bool unlocked;       /* the worker has keys */
	bool found;          /* in re-encryption, by this manager, and it does not go on yet */
	bool suspended_told; /* there is a line in the journal */
	bool locked_told;    /* the same */
	bool by_window;      /* suspended, and not by the operator */
	struct caller_id suspender; /* who asked for the suspension, if this manager knows */
};

void volume_set_state(struct volume *v, enum volume_state state);
/* Whoever calls at this moment suspends it. */
void volume_note_suspender(struct volume *v);
/* It has just been found: what need not be told again, as an earlier manager has. */
void volume_find_state(struct volume *v);
/* The rotation goes on. True: it is the one that it was found in, and did not yet. */
bool volume_goes_on(struct volume *v);
