/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of the manager's core share and nobody else sees.
 *
 * A verb or a worker's signal only changes facts and wishes, and marks the volume. manager-turn.c
 * then runs once in the next turn of the loop: each marked volume decides what is next
 * (volume-plan.h) and does it, turns are given, rates are shared, the observer is told.
 */
#pragma once

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
	uint64_t sequence; /* of the record */
	int fd;            /* of unlock, or -1 */
	struct unlock_options unlock;
	struct rotate_options rotate; /* of check */
	volume_done_t done;           /* may be NULL */
	volume_check_done_t check_done;
	void *userdata;
};

struct manager_core {
	struct manager_observer observer;
	struct turn turn;
	bool paused; /* the host sleeps */
	bool ready;  /* the service manager knows that we are */
	sd_event_source *ready_limit;
	struct schedule prepare, convert;
	struct stuck stuck;
	struct probes probes;
	struct discover *discover;
	struct saved_state saved;
	char status[256]; /* as the service manager was told */
	int clock_fd;     /* -1: there was nothing to wait for yet */
	sd_event_source *clock, *zone;
	uint64_t clock_due; /* realtime; 0: off */
	void (*stopped)(void *userdata);
	void *stopped_userdata;
	void (*calm)(void *userdata); /* of manager_pause() */
	void *calm_userdata;
};

/* volume.c: life and looks */

/* Takes @look's strings and @link (may be NULL). The volume is listed and announced. */
int volume_new(struct manager *m, struct worker_look *look, struct worker_link *link, bool stored,
	       struct volume **ret);
void volume_remove(struct volume *v);
void volume_free_all(struct manager *m); /* without a word, and workers go on */

/* The fields as the header says; strings may be taken out of @look. */
int volume_apply_look(struct volume *v, struct worker_look *look);
void volume_apply_config(struct volume *v);
void volume_apply_rate(struct volume *v);
void volume_show_record(struct volume *v);

/* The record is to be written; returns its sequence. */
uint64_t volume_record_changed(struct volume *v);
/*
 * What happened while nobody watched, as a first look shows: a rotation that has ended, or one that
 * was prepared before its record could say so.
 */
void volume_settle_record(struct volume *v);
/* A job of this volume alone. -ENOMEM. */
int volume_new_job(struct volume *v, enum job_kind kind, struct job **ret);
/* Whoever wants to wait for what was found in the header has a job for it. */
void volume_add_found_job(struct volume *v);

/* volume-identity.c: which device the volume is on */

void volume_free_place(struct volume *v);
/* Does udev know the device by this link, too? As of the last look. */
bool volume_has_link(const struct volume *v, const char *path);

/* Is the device with its header still there, as far as sysfs knows? */
bool volume_is_attached(const struct volume *v);
/* Is that exactly where it is known to be? */
bool volume_is_at(const struct volume *v, const struct worker_look *look);
/* -ENOTUNIQ: it is on another device, as far as can be known, and that has the same UUID. */
int volume_check_place(const struct volume *v, const struct worker_look *look, struct failure *f);
/* What was looked at is the volume, and volume_check_place() has nothing against it. */
void volume_set_place(struct volume *v, const struct worker_look *look);
/* The same for a volume with a worker that knows the old place. -EBUSY: it is at work there. */
int volume_move(struct volume *v, struct worker_look *look, struct failure *f);
/* Tells the worker what all its jobs are for. */
void volume_send_identity(struct volume *v);
/* The worker has met another volume or device: a new one looks what is there, without keys. */
void volume_found_other(struct volume *v);

/* volume-trust.c */
/* The record of a look, as far as it is to be obeyed. May take its text. -ENOMEM etc. */
int volume_take_record(struct volume *v, struct worker_look *look);
/* The record's text, which this host remembers before it is sent; stays the volume's. */
int volume_remember_pending(struct volume *v, const char **ret_json);
/* It is in the header. */
void volume_remember_written(struct volume *v);
/* Compares the header with the record; a conflict makes the volume fail until a person decides. */
enum record_match volume_check_header(struct volume *v);
/* A person has taken the header as it is: the record follows it. */
void volume_accept_header(struct volume *v);
/* The rotation in the record is the one in the header. */
void volume_note_sides(struct volume *v);
/* A job of ours has left the header so: from here on an older one is a conflict. */
void volume_note_sequence(struct volume *v);

/* volume-state.c */
void volume_set_state(struct volume *v, enum volume_state state);

/* volume-step.c */
struct volume_facts volume_facts(const struct volume *v);
void volume_step(struct volume *v);
void volume_send_limits(struct volume *v, uint64_t rate);
/* The rotation cannot be prepared, or the re-encryption cannot go on. */
void volume_fail(struct volume *v, int error, const struct failure *f);
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
/* What @run says holds from now on; -ENOTSUP as above. */
int volume_change_run(struct volume *v, const struct run_choices *run, struct failure *f);

/* volume-clock.c: windows and deadline */
void volume_look_at_clock(struct volume *v);
/* What was found of it may hold no longer: another configuration, clock or zone. */
void volume_forget_clock(struct volume *v);
/* Realtime; CALENDAR_NEVER: nothing changes by the clock. */
uint64_t volume_next_look(const struct volume *v);
/* When the work is done at the present rate, in its windows; 0: not known. */
uint64_t volume_end_at_rate(const struct volume *v);
/* Of the one that is open, else of the next one; CALENDAR_NEVER: none is to come. 0: none at all.
 */
uint64_t volume_end_of_next_window(const struct volume *v);
void volume_send_governor(struct volume *v);

/* volume-verbs.c */
/* A deadline that is behind us, or no time that the record can hold, cannot be asked for. */
int volume_check_deadline(const struct rotate_options *options, struct failure *f);
/* -ESTALE: the header does not belong to the data, and a person has to say what counts. */
int volume_refuse_conflict(const struct volume *v, struct failure *f);
/* -EBUSY: the header may be in re-encryption, and nobody has seen it. It is looked at again. */
int volume_refuse_unseen(struct volume *v, struct failure *f);
void volume_wish_rotation(struct volume *v, const struct rotate_options *options);
/* The rotation is cancelled, and nothing has been written but the request for it. */
void volume_forget_rotation(struct volume *v);

/* volume-worker.c */
extern const struct worker_handler volume_worker_handler;
/* What is configured of a worker; the devices are left out. */
struct worker_spec volume_worker_spec(const struct volume_config *config);
/* There is none yet: starts one. -EAGAIN: not before the pause after a death is over. */
int volume_need_worker(struct volume *v);
void volume_drop_worker(struct volume *v);
/* The worker that has them is gone. A provider that gave them may give them again. */
void volume_lose_keys(struct volume *v);
/*
 * Nothing needs the keys any more, so the worker that has them ends. It ends with this manager,
 * too: the next one must not find it.
 */
void volume_use_up_keys(struct volume *v);
void volume_drop_keys(struct volume *v);
/* No more is tried to write the record. */
void volume_give_up_record(struct volume *v, int error, const struct failure *f);

/* found.c */
extern const struct probe_owner found_owner;

/* volume-ended.c */
/*
 * Another process has the volume: perhaps a worker that ends because its manager was killed. True
 * when it is worth another try.
 */
bool volume_retry_later(struct volume *v, int error);
/* A job but a look has ended, and v is as the worker found it then. @was_backward: before that. */
void volume_job_ended(struct volume *v, const struct worker_end *e, bool was_backward);
/* In re-encryption, and nothing is converted. */
void volume_is_prepared(struct volume *v);
/* Out of re-encryption, with the new key or the old one. */
void volume_rotation_over(struct volume *v, bool cancelled);

/* volume-request.c */
/* Of the callbacks only one; a descriptor only to unlock, which becomes the request's. -ENOMEM. */
int request_add(struct volume *v, const struct request *r);
/* Answers all that wait for what is there now. */
void request_answer(struct volume *v);
/* Ends the first of this kind that was sent. False: nobody waits for it, here at least. */
bool request_ended(struct volume *v, enum request_kind kind, int error, const struct failure *f,
		   const struct worker_end *end);
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

/* group.c */
void group_member_prepared(struct volume *v);
/* What was left undecided goes on, or back, where it is known by now which. */
void group_settle(struct manager *m);
/* All are undone; the job fails with this. */
void group_failed(struct volume *v, int error, const struct failure *f);

/* manager-turn.c */
int manager_turn_new(struct manager *m);
/* Works out the shares of the host's rate and tells the workers. */
void manager_share_rate(struct manager *m);

/* manager-clock.c */
/* Waits for the next of all volumes, if it is another than before. */
void manager_set_clock(struct manager *m);
void manager_free_clock(struct manager *m);

/* manager.c */
/* Stops all work at a hotzone boundary until unpaused; @calm is called once when it stands still.
 */
void manager_pause(struct manager *m, void (*calm)(void *userdata), void *userdata);
void manager_unpause(struct manager *m);
