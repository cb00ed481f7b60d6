/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What callers can wait for. A job is there from the call that asked for it until a while after
 * its end, so that late comers still see the result:
 *
 *   waiting -> running -> done | failed | cancelled
 *
 * Of those that have ended the last JOBS_KEPT are kept, and those of calls with a RequestId as long
 * as the call is (accepted.h), for JOBS_AGE_USEC at most. Jobs outlive the daemon (kept-text.h):
 * one that had not ended waits, without its volumes, until these are found again, for
 * JOBS_WAIT_USEC.
 *
 * A pointer is valid until the observer's removed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/state/accepted.h"
#include "daemon/state/caller.h"
#include "daemon/state/failure.h"
#include "daemon/state/job-numbers.h"

#define JOBS_KEPT     64
#define JOBS_AGE_USEC ACCEPTED_AGE_USEC
/* One that has not ended, and whose volumes never come back, is given up then. */
#define JOBS_WAIT_USEC (UINT64_C(366) * 86400 * 1000000)

struct volume; /* known here by its address alone */

enum job_kind {
	JOB_ROTATE,  /* prepare and convert, of one volume or a group */
	JOB_CANCEL,  /* turn around and go back to the old key */
	JOB_RECOVER, /* goes on with a re-encryption that was found in the header */
	JOB_KIND_COUNT
};

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED, JOB_STATE_COUNT };

/* Bits of what has changed, for the observer. */
#define JOB_CHANGED_STATE   UINT64_C(1) /* state, failure, times */
#define JOB_CHANGED_RUNNING UINT64_C(2) /* jobs->running */

/* What one volume of a job has come to. */
struct job_member {
	struct volume *volume; /* NULL once the volume was removed, or until it is found again */
	struct job **present;  /* where the volume says which its job is */
	char uuid[37];
	bool prepared;
	bool ended;
	int error; /* 0 or a negative errno, when it has ended */
	struct failure failure;
};

struct job {
	struct jobs *jobs;
	struct job *next;
	uint64_t id; /* from 1; grows, over restarts, too */
	enum job_kind kind;
	enum job_state state;
	/* Realtime clock, microseconds; 0: not yet. */
	uint64_t created_usec, started_usec, ended_usec;
	int error;               /* 0 or a negative errno; the first of a member */
	struct failure failure;  /* where error is not 0 */
	struct caller_id caller; /* who asked for it */
	uint64_t bytes;          /* of a cancel: that go back, as far as it is known */
	size_t n_members;
	struct job_member *members;
	void *bus_slot; /* for the bus layer alone */
};

/* How the owner of the jobs hears of them; added comes before, removed after all else of a job. */
struct job_observer {
	void (*added)(struct job *j, void *userdata);
	void (*changed)(struct job *j, uint64_t what, void *userdata);
	void (*removed)(struct job *j, void *userdata);
	/* The volume has no job any more. */
	void (*left)(struct volume *v, void *userdata);
};

struct jobs {
	size_t n;
	struct job *first; /* list, by job->next, ascending ids; ended ones included */
	unsigned running;
	bool unsaved; /* what is kept has changed */
	struct job_numbers numbers;
	struct accepted_calls accepted;
	struct caller_id caller; /* who calls at this moment */
	const struct job_observer *observer;
	void *userdata;
};

/* A volume that a new job is for. */
struct job_seat {
	struct volume *volume;
	struct job **present; /* is set to the job until the volume's part has ended */
	const char *uuid;
};

/* "rotate", "cancel", "recover"; "waiting", "running", "done", "failed", "cancelled". */
const char *job_kind_name(enum job_kind kind);
const char *job_state_name(enum job_state state);

bool job_ended(const struct job *j);

/* A new job of @n volumes is announced to the observer. -ENOMEM. */
int job_new(struct jobs *jobs, enum job_kind kind, const struct job_seat *seats, size_t n,
	    struct job **ret);

/*
 * A job of an earlier daemon: the copy of @from, with the members of @from, none of them with its
 * volume. -EINVAL: its number is not larger than those that are there; -ENOMEM.
 */
int job_restore(struct jobs *jobs, const struct job *from);

/*
 * A volume is found: the part of it that has not ended goes on with it. Of several jobs the last
 * one does, and the others end as cancelled. NULL: no job waits for it.
 */
struct job *job_volume_found(struct jobs *jobs, const struct job_seat *seat);

/* Drops what has been kept for long enough. */
void job_drop_old(struct jobs *jobs);

/* The volume's part has begun, or has ended. The job ends with its last member. */
void job_member_started(struct job *j, const struct volume *v);
void job_member_ended(struct job *j, const struct volume *v, int error, const struct failure *f);

/* The volume is prepared. True: all are. */
bool job_member_prepared(struct job *j, const struct volume *v);

/* The volume goes away: its parts that have not ended fail so. */
void job_volume_removed(struct jobs *jobs, const struct volume *v, int error,
			const struct failure *f);

void job_free_all(struct jobs *jobs);
