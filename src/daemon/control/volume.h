/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A volume that the manager knows, and what can be done to it. All of it is about one LUKS2 header;
 * what is written to it is written by the volume's worker.
 *
 *            rotate            slot free          prepared            converted
 *   idle ------------> queued ---------> preparing --------> running ----------> finishing -> idle
 *    ^                  |  ^                 |                |   ^  \ cancel                  ^
 *    |     cancel       |  | resume          | error          |   |   v                        |
 *    +------------------+  +--- suspended <--+----------------+   |  reversing ----------------+
 *                               suspend                           |
 *   a key is missing: any of these -> locked -- unlock -> queued -+   error: -> failed -- resume
 *
 * No sd-bus here: the bus layer reads the fields, calls volume_*(), and hears of changes through
 * the manager's observer.
 *
 * Verbs: 0 when the thing is done or accepted, else a negative errno with @f filled (name and text
 * for the caller). Those with a @done are over when it is called: exactly once if the verb returned
 * 0 (possibly before it returns), never otherwise. When the volume goes away first, @done gets
 * NotFound and a NULL volume.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/control/mark.h"
#include "daemon/control/place.h"
#include "daemon/control/volume-clock.h"
#include "daemon/control/volume-keys.h"
#include "daemon/control/volume-settings.h"
#include "daemon/control/volume-state.h"
#include "daemon/control/volume-trust.h"
#include "daemon/control/worker-slot.h"
#include "daemon/policy/schedule.h"
#include "daemon/policy/volume-plan.h"
#include "daemon/state/failure.h"
#include "daemon/state/record.h"
#include "daemon/state/volume-header.h"
#include "daemon/state/volume-progress.h"
#include "daemon/state/volume-trouble.h"
#include "daemon/state/volume-writing.h"
#include "proto/messages.h"

struct job;
struct manager;
struct request;
struct volume;

/* Bits of what has changed, for the observer. */
#define VOLUME_CHANGED_STATE      UINT64_C(0x01) /* state, state_reason, unlocked */
#define VOLUME_CHANGED_IDENTITY   UINT64_C(0x02) /* name, device, header_device */
#define VOLUME_CHANGED_PARAMETERS UINT64_C(0x04) /* mode .. new_pbkdf_hash */
#define VOLUME_CHANGED_PROGRESS   UINT64_C(0x08) /* bytes_* .. longest_suspend, at most 2/s */
#define VOLUME_CHANGED_LIMIT      UINT64_C(0x10) /* rate_limit, stall_target, governor .. */
#define VOLUME_CHANGED_KEYS       UINT64_C(0x20) /* keys, key_id, key_generation */
#define VOLUME_CHANGED_ROTATION   UINT64_C(0x40) /* queued rotation, last rotation, run */
#define VOLUME_CHANGED_DEADLINE   UINT64_C(0x80) /* deadline, deadline_at_risk */
#define VOLUME_CHANGED_ALL        UINT64_C(0xff)

typedef void (*volume_done_t)(struct volume *v, int error, const struct failure *f, void *userdata);
typedef void (*volume_check_done_t)(struct volume *v, int error, const struct failure *f,
				    const struct worker_end *end, void *userdata);

/* Where it waits for the right to run. */
struct volume_lines {
	struct schedule_entry prepare, convert;
};

/* For everybody to read. Each slot is written by the file of its own, and the lines by
 * policy/schedule.c. */
struct volume {
	struct manager *manager;
	struct volume *next;
	char uuid[37];
	struct volume_place place;
	struct volume_header header;
	struct volume_progress progress;
	struct volume_settings settings;
	struct volume_clock clock;
	struct volume_token token;
	struct volume_writing writing;
	struct volume_keys keys;
	struct worker_slot worker;
	struct volume_trouble trouble;
	struct volume_status status;
	struct volume_mark mark;
	struct volume_lines lines;
	struct job *job;   /* the present one, or NULL */
	struct job *group; /* while it prepares together with others */
	struct request *requests;
	void *bus_slot; /* for the bus layer alone */
};

static inline uint64_t volume_bytes_left(const struct volume *v)
{
	return progress_left(&v->progress);
}

/*
 * Begins a rotation: a job at once, which ends with the rotation. While one runs: with
 * options->queue it is remembered in the header and started after it (a later one replaces an
 * earlier; *ret_job is the present job then), otherwise RotationInProgress.
 * A volume without a key at hand waits as "locked" for volume_unlock().
 */
int volume_rotate(struct volume *v, const struct rotate_options *options, struct failure *f,
		  struct job **ret_job);

/*
 * Stops at the next hotzone boundary and stays so; done when the header is clean, the stack
 * dissolved, and the wish durable in the header. Already suspended: only the reason is replaced.
 */
int volume_suspend(struct volume *v, const char *reason, struct failure *f, volume_done_t done,
		   void *userdata);

/*
 * Also out of "failed". Done when the wish is durable; the volume is queued or running then, or
 * waits for its window.
 */
int volume_resume(struct volume *v, const struct resume_options *options, struct failure *f,
		  volume_done_t done, void *userdata);

/*
 * Takes the rotation back: undone at once where nothing is converted, else turned around. The
 * rotation's job ends as cancelled; *ret_job is a new one that ends when the old key is back, or
 * fails with NoRotation when the rotation was finished before its worker heard of it.
 * What @run says replaces what the rotation said.
 */
int volume_cancel(struct volume *v, const struct run_choices *run, struct failure *f,
		  struct job **ret_job);

/*
 * Bytes per second, 0: none, RATE_AS_CONFIGURED: what the configuration says, now and later. Holds
 * within a second; done when it is durable in the header.
 */
int volume_set_rate_limit(struct volume *v, uint64_t rate, struct failure *f, volume_done_t done,
			  void *userdata);

/*
 * @fd: a pipe or memfd with the secret, read to its end by the worker; it stays the caller's.
 * Done when the secret has opened a keyslot.
 */
int volume_unlock(struct volume *v, int fd, const struct unlock_options *options, struct failure *f,
		  volume_done_t done, void *userdata);

/* Forgets keys and passphrases. Busy while a conversion runs. */
int volume_lock(struct volume *v, struct failure *f, volume_done_t done, void *userdata);

/*
 * A person takes the state token as it is shown, or the header as it is found, for right. Done when
 * that is durable. -EINVAL: there is nothing to accept.
 */
int volume_accept(struct volume *v, struct failure *f, volume_done_t done, void *userdata);

/* The dry run. @options may be NULL. */
int volume_check(struct volume *v, const struct rotate_options *options, struct failure *f,
		 volume_check_done_t done, void *userdata);
