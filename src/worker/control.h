/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the two threads of a service share.
 *
 *     control thread (sd-bus)                          working thread (the volume)
 *        control_submit()  ---- requests, in order ---->  control_next()
 *        control_stop(), _set_limits(), _set_record() ->  at the next hotzone boundary
 *        control_take()    <--- reports, event_fd ------  control_report()
 *        control_state()   <--- copies of plain data ---  control_set_...()
 *
 * The control thread never touches the volume, and the working thread never the bus. Each waits for
 * the other's lock for as long as it takes to copy a few pages.
 */
#pragma once

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "pace/governor.h"
#include "pace/rate.h"
#include "luks/begin.h"
#include "proto/messages.h"
#include "util/secret.h"
#include "worker/look.h"
#include "worker/work-options.h"

/* What is to be done, with its own copies of all texts; one that is not given is NULL or "". */
struct work_request {
	enum worker_job job;
	struct work_request *next;
	int fd[2];                  /* UNLOCK: the secret; ADOPT: the keys; else -1 */
	struct prepare_order order; /* of CHECK and PREPARE; its run of all that may convert */
	struct unlock_options unlock;
	struct provider_order provider;
	struct foreground_order foreground;
};

/* NULL without memory. */
struct work_request *request_new(enum worker_job job);
struct work_request *request_free(struct work_request *r);
DEFINE_CLEANUP(struct work_request, request_free)

enum report_kind {
	REPORT_DONE,   /* a request is done */
	REPORT_KEYS,   /* volume keys are at hand */
	REPORT_RECORD, /* the record is in the header, or cannot be */
	REPORT_QUESTION,
};

struct report {
	enum report_kind kind;
	struct report *next;
	enum worker_job job;
	int error;          /* 0 or a negative errno */
	char message[2048]; /* what was logged as an error */
	bool looked;        /* @look is of now */
	struct look look;
	/* Of single jobs: */
	uint32_t keyslots; /* UNLOCK, USE_PROVIDER */
	bool planned;      /* CHECK, PREPARE: @plan and what follows are set */
	struct luks_begin_plan plan;
	int obstacle;
	char obstacle_message[2048];
	uint64_t estimated_usec;
	bool stopped;  /* CONVERT */
	int key_fd[2]; /* REPORT_KEYS; else -1 */
	uint64_t record_serial;
	struct worker_question question;
};

struct report *report_new(enum report_kind kind);
struct report *report_free(struct report *r);
DEFINE_CLEANUP(struct report, report_free)

struct control_state {
	enum worker_job job; /* one that Done will be sent for, and until it is */
	bool unlocked;
	unsigned passphrases;
	struct worker_limits limits;
	struct governor_config governor;
	uint64_t governor_rate;    /* what it allows now, bytes/s; 0: no limit */
	char governor_reason[128]; /* "": it has nothing to do */
	bool converting;           /* progress is of a run */
	struct run_options run;    /* of the last CONVERT */
	struct engine_progress progress;
	bool looked;
	struct look look;
};

/* The one that the working thread waits for. */
struct question {
	uint32_t number; /* of the last one */
	bool asked, answered;
	bool hung_up; /* nobody answers any more */
	int error;
	struct secret *answer;
};

struct control {
	pthread_mutex_t lock;
	pthread_cond_t work;
	int event_fd;  /* readable: control_take() has something */
	int stop_fd;   /* readable while @stop is set */
	int signal_fd; /* readable once control_signal() was called */
	volatile sig_atomic_t signalled;
	struct rate rate;              /* of the working thread, but for rate_wake() */
	struct work_request *requests; /* not begun yet, oldest first */
	struct report *reports;
	struct control_state state;
	enum worker_job after; /* accepted, for when state.job is done */
	bool stop, quit, ended, new_limits;
	bool keys_in_use;         /* by the job: it converts */
	struct identity identity; /* of the volume that all jobs are for */
	char *record;             /* to be put into the header; NULL: none waits */
	uint64_t record_serial;
	struct question question;
};

int control_init(struct control *c);
void control_destroy(struct control *c);

/* For the control thread. */

/*
 * Takes over @r. -EBUSY: another job runs. INSPECT and LOCK are no such job, and wait for their
 * turn; LOCK stops a job that does not convert yet, REVERSE stops a CONVERT.
 */
int control_submit(struct control *c, struct work_request *r);
void control_stop(struct control *c);
/* No job is begun any more, and the running one stops. */
void control_quit(struct control *c);
/* From a handler of a signal, in any thread: stops the job. control_quit() has to follow. */
void control_signal(struct control *c);
void control_set_limits(struct control *c, const struct worker_limits *limits);
void control_set_governor(struct control *c, const struct governor_config *governor);
void control_set_identity(struct control *c, const struct identity *identity);
/* Takes over @text. The report with the serial that this returns, or a later one, answers it. */
uint64_t control_set_record(struct control *c, char *text);
/* Nobody answers any more, and nobody else will come: as control_quit(). */
void control_hang_up(struct control *c);
/* To question @number; an answer to another one is dropped. Takes over @secret, which may be NULL.
 */
void control_answer(struct control *c, uint32_t number, int error, struct secret *secret);
/* NULL: no more. */
struct report *control_take(struct control *c);
enum worker_job control_job(struct control *c);
/* The working thread is done, and nothing is left to be taken. */
bool control_has_ended(struct control *c);
void control_get_state(struct control *c, struct control_state *ret);
/* Before its Done is sent. */
void control_job_is_over(struct control *c);

/* For the working thread. */

/* Waits for a request, or for a record (NULL with *ret_record); both NULL: quit. */
struct work_request *control_next(struct control *c, char **ret_record, uint64_t *ret_serial);
/* A record that waits, for a pause; NULL: none. The caller's. */
char *control_take_record(struct control *c, uint64_t *ret_serial);
/* A record, or limits that have not been taken up. */
bool control_pause_wanted(struct control *c);
bool control_wants_stop(struct control *c);
/* The job that a stop was for has ended; not where it may be for a request that waits, or quit. */
void control_forget_stop(struct control *c);
/* The job converts from here on: LOCK is refused. */
void control_use_keys(struct control *c);
struct worker_limits control_limits(struct control *c);
struct governor_config control_governor(struct control *c);
struct identity control_identity(struct control *c);
/* What it has come to; shown with the progress. */
void control_set_governed(struct control *c, uint64_t rate, const char *reason);
/* Takes over @r. */
void control_report(struct control *c, struct report *r);
void control_set_look(struct control *c, const struct look *l);
void control_set_keys(struct control *c, bool unlocked, unsigned passphrases);
void control_set_progress(struct control *c, bool converting, const struct engine_progress *p);
/*
 * Takes over @question, and waits for the answer: an error, or a secret, which may be empty.
 * -EINTR: a stop came first. What is no question (progress) is waited for through a stop, but not
 * for ever.
 */
int control_ask(struct control *c, struct report *question, struct secret **ret);
/* The last call. */
void control_end(struct control *c);
