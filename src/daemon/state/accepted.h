/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Calls that were accepted, by the id that their caller gave (RequestId). A caller that did not get
 * the answer calls again with the same id, and gets the same job, or hears that it is done.
 *
 * A refused call has begun nothing and is not in the list. The list is bounded: the last
 * ACCEPTED_KEPT calls, for ACCEPTED_AGE_USEC. Nothing in it is secret.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/state/failure.h"

#define ACCEPTED_KEPT     512
#define ACCEPTED_AGE_USEC (UINT64_C(30) * 86400 * 1000000)
#define REQUEST_ID_SIZE   65 /* with its NUL */

struct request_id {
	char text[REQUEST_ID_SIZE]; /* "": none */
};

struct accepted_call {
	struct request_id id;
	char verb[24];   /* of the bus */
	char object[80]; /* the path that it was called at */
	uint64_t job;    /* 0: it made none, and is done */
	uint64_t usec;   /* realtime, when it was accepted, or done */
};

struct accepted_calls {
	size_t n;
	struct accepted_call *calls; /* oldest first */
};

/* Letters, digits and -._: only. -EINVAL, with the failure filled. */
int request_id_check(const struct request_id *id, struct failure *f);

/* NULL: there is none of this id. */
const struct accepted_call *accepted_find(const struct accepted_calls *a,
					  const struct request_id *id);
/* The first that has made this job, or NULL. */
const struct accepted_call *accepted_of_job(const struct accepted_calls *a, uint64_t job);

/* Drops the oldest, if there are too many. -ENOMEM. */
int accepted_add(struct accepted_calls *a, const struct accepted_call *call);

/* Those of a job that has come to nothing. True: there were any. */
bool accepted_forget_job(struct accepted_calls *a, uint64_t job);
/* Those without a job that are older than @usec. */
void accepted_forget_old(struct accepted_calls *a, uint64_t usec);

void accepted_free(struct accepted_calls *a);
