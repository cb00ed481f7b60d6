/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A slot of the volume: how much of what was promised is in its header. Each change of the record
 * has a sequence; one write is on its way at most.
 *
 *     durable <= sent <= wanted
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum record_place {
	RECORD_IN_HEADER, /* up to @durable */
	RECORD_ONLY_HERE, /* the header would not take it */
	RECORD_GIVEN_UP,  /* the header could not be reached: it is written when it can be */
};

struct volume_writing {
	uint64_t wanted, sent, durable; /* 0: as it was found */
	enum record_place place;
};

/* The record has changed; returns the sequence that says so. */
uint64_t writing_want(struct volume_writing *w);
/* Is all that a caller was promised to be remembered written, or given up? */
bool writing_is_durable(const struct volume_writing *w);
/* Is there something to send, and nothing on its way? */
bool writing_is_due(const struct volume_writing *w);
void writing_sent(struct volume_writing *w);
/* Its answer will not come: it is sent again. */
void writing_unsent(struct volume_writing *w);
/* The answer; @taken: by the header. */
void writing_answered(struct volume_writing *w, bool taken);
/* The header cannot be reached: nobody waits for it any more. */
void writing_give_up(struct volume_writing *w);
/* It can be again. True: the record that was given up has to be written. */
bool writing_resume(struct volume_writing *w);
