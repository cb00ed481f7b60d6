/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of the manager's core share and nobody else sees.
 *
 * A verb or a worker's signal only changes facts and wishes, and marks the volume. manager-turn.c
 * then runs once in the next turn of the loop: each marked volume decides what is next
 * (volume-plan.h) and does it, turns are given, rates are shared, the observer is told.
 */
#pragma once

#include "daemon/control/absent.h"
#include "daemon/control/crypttab-names.h"
#include "daemon/state/config.h"
#include "daemon/control/manager.h"
#include "daemon/state/record.h"
#include "daemon/state/remembered.h"
#include "daemon/state/saved-state.h"
#include "daemon/policy/schedule.h"
#include "daemon/policy/volume-plan.h"
#include "daemon/control/volume.h"
#include "daemon/workers/probe.h"
#include "daemon/workers/stuck.h"
#include "daemon/workers/worker-link.h"
#include "util/clock.h"

/* What a caller waits for. */
enum request_kind {
	REQUEST_RECORD,    /* the record is durable, as of @sequence */
	REQUEST_SUSPENDED, /* the same, and nothing runs */
	REQUEST_UNLOCK,    /* to be sent */
	REQUEST_CHECK,
	REQUEST_LOCK,
	REQUEST_LOOK, /* the header anew */
};

struct request {
	struct request *next;
	enum request_kind kind;
	bool sent;         /* to the worker */
	bool asked;        /* of check: the key provider, for this alone */
	uint64_t sequence; /* of the record */
	int fd;            /* of unlock, or -1 */
	struct unlock_options unlock;
	struct rotate_options rotate; /* of check */
	volume_done_t done;           /* may be NULL */
	volume_check_done_t check_done;
	void *userdata;
	struct caller_id caller; /* request_add() fills it */
};

/* The next that the clock on the wall decides, of all volumes. */
struct manager_clock {
	int fd; /* -1: there was nothing to wait for yet */
	sd_event_source *timer, *zone;
	uint64_t due; /* realtime; 0: off */
};

/* Who waits for all work to stand still: since the host sleeps, or the daemon ends. */
struct manager_rest {
	bool paused; /* the host sleeps */
	void (*calm)(void *userdata);
	void *calm_userdata;
	void (*stopped)(void *userdata);
	void *stopped_userdata;
};

struct manager_core {
	struct manager_observer observer;
	struct turn turn;
	bool volumes_known;
	bool ready; /* the service manager knows that we are */
	sd_event_source *ready_limit;
	struct schedule prepare, convert;
	struct stuck stuck;
	struct probes probes;
	struct discover *discover;
	struct absent absent;
	struct crypttab_names crypttab_names; /* of crypttab as it was read last */
	struct saved_state saved;
	char status[256]; /* as the service manager was told */
	struct manager_clock clock;
	struct manager_rest rest;
};

/* volume.c: life */

/* Takes @look's strings and @link, unless it fails. The volume is listed and announced. */
int volume_new(struct manager *m, struct worker_look *look, struct worker_link *link, bool adopted,
	       struct volume **ret);
/* It is remembered, and not there; @header may be NULL. */
int volume_new_absent(struct manager *m, const char *uuid, const char *device, const char *header,
		      const char *why, struct volume **ret);
/* One that was absent is found. Takes as volume_new() does. */
int volume_come(struct volume *v, struct worker_look *look, struct worker_link *link);
void volume_remove(struct volume *v);
void volume_free_all(struct manager *m); /* without a word, and workers go on */

/* volume-identity.c: what a look means for a volume that is known */

/* The slots as the header says; strings may be taken out of @look. */
int volume_apply_look(struct volume *v, struct worker_look *look);
/* What was looked at is the volume, and place_check() has nothing against it. */
void volume_set_place(struct volume *v, const struct worker_look *look);
/* The same for a volume with a worker that knows the old place. -EBUSY: it is at work there. */
int volume_move(struct volume *v, struct worker_look *look, struct failure *f);
/* Tells the worker what all its jobs are for. */
void volume_send_identity(struct volume *v);
/* The worker has met another volume or device: a new one looks what is there, without keys. */
void volume_found_other(struct volume *v);

/* volume-release.c */
void volume_drop_worker(struct volume *v);
/*
 * Nothing needs the keys any more, so the worker that has them ends. It ends with this manager,
 * too: the next one must not find it.
 */
void volume_use_up_keys(struct volume *v);
/* A rotation could not begin: what a person has given is kept for the next one, or for Lock(). */
void volume_spare_keys(struct volume *v);

/* absent.c */
/* -ENODEV: it is not there. It is looked for once more. */
int volume_refuse_absent(struct volume *v, struct failure *f);

/* volume-conflict.c */
/* Compares the header with the record; a conflict makes the volume fail until a person decides. */
enum record_match volume_check_header(struct volume *v);
/* -ERROR_HEADER_CHANGED: the header does not belong to the data, and a person has to say what
 * counts. */
int volume_refuse_conflict(const struct volume *v, struct failure *f);

/* volume-outcome.c */
/* The rotation cannot be prepared, or the re-encryption cannot go on. */
void volume_fail(struct volume *v, int error, const struct failure *f);
/* In re-encryption, and nothing is converted. */
void volume_is_prepared(struct volume *v);
/* Out of re-encryption, with the new key or the old one. */
void volume_rotation_over(struct volume *v, bool cancelled);
/* The rotation is cancelled, and nothing has been written but the request for it. */
void volume_forget_rotation(struct volume *v);
/*
 * What happened while nobody watched, as a first look shows: a rotation that has ended, or one that
 * was prepared before its record could say so.
 */
void volume_settle_record(struct volume *v);
/* A job of this volume alone. -ENOMEM. */
int volume_new_job(struct volume *v, enum job_kind kind, struct job **ret);
/* The volume was just found: resumes the job that an earlier daemon kept for it. */
void volume_take_job(struct volume *v);
/* The record may have gone another way than that job, where the daemon died between the two. */
void volume_compare_job(struct volume *v);
/* Whoever wants to wait for what was found in the header has a job for it. */
void volume_add_found_job(struct volume *v);

/* rotation-end.c */
/* The record says that the rotation is over; the job does not yet. */
void volume_tell_end(struct volume *v);

/* volume-step.c */
struct volume_facts volume_facts(const struct volume *v);
void volume_step(struct volume *v);
bool volume_is_calm(const struct volume *v);

/* volume-run.c: what a rotation says, and what is as configured */
struct run_options volume_resolve_run(const struct volume *v, const struct run_choices *run);
/* For the rotation that is there, or is to begin. */
struct run_options volume_run_options(const struct volume *v);
/* Since the worker was told of it. */
bool volume_run_has_changed(const struct volume *v);
struct rotate_options volume_complete_options(const struct volume *v,
					      const struct rotate_options *options);
/* -ENOTSUP: with its ciphers it cannot be done so. */
int volume_check_rotation(const struct volume *v, const struct rotate_options *options,
			  struct failure *f);
/* What @run says holds from now on. 1: the record has changed by that; -ENOTSUP as above. */
int volume_change_run(struct volume *v, const struct run_choices *run, struct failure *f);

/* volume-verbs.c */
/* A deadline that is behind us, or no time that the record can hold, cannot be asked for. */
int volume_check_deadline(const struct rotate_options *options, struct failure *f);
/* -EBUSY: the header may be in re-encryption, and nobody has seen it. It is looked at again. */
int volume_refuse_unseen(struct volume *v, struct failure *f);
void volume_wish_rotation(struct volume *v, const struct rotate_options *options);

/* volume-worker.c */
extern const struct worker_handler volume_worker_handler;
/* What is configured of a worker; the devices are left out. */
struct worker_spec volume_worker_spec(const struct volume_config *config);
/* There is none yet: starts one. -EAGAIN: not before the pause after a death is over. */
int volume_need_worker(struct volume *v);
/* No more is tried to write the record. */
void volume_give_up_record(struct volume *v, int error, const struct failure *f);

/* found.c */
extern const struct probe_owner found_owner;

/* volume-ended.c */
/* What the header said of a re-encryption before a job. */
enum before { BEFORE_AT_REST, BEFORE_FORWARD, BEFORE_BACKWARD };
/* A job but a look has ended, and v is as the worker found it then. */
void volume_job_ended(struct volume *v, const struct worker_end *e, enum before before);

/* volume-request.c */
/* Of the callbacks only one; a descriptor only to unlock, which becomes the request's. -ENOMEM. */
int request_add(struct volume *v, const struct request *r);
/* Answers all that wait for what is there now. */
void request_answer(struct volume *v);
/* Ends the first of this kind that was sent. False: nobody waits for it, here at least. */
bool request_ended(struct volume *v, enum request_kind kind, int error, const struct failure *f,
		   const struct worker_end *end);
/* Who waits for it; NULL: nobody. */
const struct caller_id *request_caller(const struct volume *v, enum request_kind kind);
/* The worker has died: what was sent is answered. */
void request_worker_died(struct volume *v);
/* The worker is no longer listened to: the next one is asked. */
void request_unsend(struct volume *v);
/* What was asked for is written only with the record of this sequence. */
void request_wait_until(struct volume *v, uint64_t sequence);
void request_record_failed(struct volume *v, uint64_t sequence, int error, const struct failure *f);
/* The volume goes away, or the daemon does. */
void request_end_all(struct volume *v, int error, const struct failure *f);
void request_free_all(struct volume *v); /* without a word */
/* The first that has to be sent, or NULL. */
struct request *request_to_send(struct volume *v);
/* The same for Lock() alone, which need not wait for others. */
struct request *request_lock_to_send(struct volume *v);
bool request_pending(const struct volume *v);
/* A dry run that the provider was asked for; NULL: none. */
const struct request *request_check_asked(const struct volume *v);

/* group.c */
void group_member_prepared(struct volume *v);
/* What was left undecided goes on, or back, where it is known by now which. */
void group_settle(struct manager *m);
/* All are undone; the job fails with this. */
void group_failed(struct volume *v, int error, const struct failure *f);
/* A rotation of it is wished, and held until all of the group are prepared. */
void group_join(struct volume *v, struct job *j, const char *group, const struct volume *first);

/* manager-turn.c */
int manager_turn_new(struct manager *m);

/* manager-kept.c: jobs and accepted calls outlive the daemon */
void manager_load_jobs(struct manager *m);

/* rate-share.c */
/* Works out the shares of the host's rate and tells the workers. */
void manager_share_rate(struct manager *m);

/* manager-clock.c */
void manager_init_clock(struct manager *m);
/* Waits for the next of all volumes, if it is another than before. */
void manager_set_clock(struct manager *m);
void manager_free_clock(struct manager *m);

/* manager-rest.c */
/* Stops all work at a hotzone boundary until unpaused; @calm is called once when it stands still.
 */
void manager_pause(struct manager *m, void (*calm)(void *userdata), void *userdata);
void manager_unpause(struct manager *m);
/* Once a turn: tells those who wait, if it is so. */
void manager_tell_rest(struct manager *m);
