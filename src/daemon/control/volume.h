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

#include "daemon/state/failure.h"
#include "daemon/state/record.h"
#include "proto/messages.h"

struct job;
struct manager;
struct volume;
struct volume_core;

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
	VOLUME_STATE_COUNT
};

/* "idle", "queued", ... as on the bus. */
const char *volume_state_name(enum volume_state state);

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

struct volume {
	/* For everybody to read. */
	struct manager *manager;
	struct volume *next;
	char uuid[37];
	char *name;          /* dm name of the open mapping; "": closed */
	char *device;        /* path */
	char *header_device; /* path; "": the header is on the device */
	char *group;         /* of the configuration; "" */

	enum volume_state state;
	char state_reason[512]; /* of suspended, locked, failed, queued ...; else "" */
	char state_error[64];   /* of failed: the last part of the error's name; else "" */
	bool unlocked;          /* the worker has keys */

	char mode[16];      /* "reencrypt", ...; "" out of re-encryption, as the following */
	char direction[16]; /* "forward", "backward" */
	char resilience[32];
	char old_cipher[128]; /* also out of re-encryption: the cipher in use */
	char new_cipher[128];
	uint32_t old_sector_size, new_sector_size; /* bytes */
	uint32_t new_key_size;                     /* bytes; 0: not known */
	bool keep_key;
	char resilience_hash[33];               /* "" with a journal */
	char new_pbkdf[16], new_pbkdf_hash[33]; /* of the new keyslots; "": not known */

	uint64_t bytes_total, bytes_done;
	uint64_t rate;              /* bytes/s, smoothed; 0 when nothing runs */
	uint64_t expected_end_usec; /* realtime; 0: unknown */
	uint64_t hotzone_offset, hotzone_size;
	uint64_t longest_stall_usec, stall_999_usec, longest_suspend_usec; /* of the present run */
	uint64_t unavoidable_stall_usec; /* now; 0: the stall target is within reach */

	uint64_t rate_limit; /* bytes/s of this volume, 0: none (the host's still holds) */

	uint64_t stall_target_usec; /* of the configuration, 0: none */

	uint64_t governor_rate;    /* bytes/s that the governor allows; 0: no limit */
	char governor_reason[128]; /* "": it has nothing to do */

	uint64_t deadline_usec; /* realtime; 0: none */
	bool deadline_at_risk;

	size_t n_keys;
	struct volume_key *keys;
	char key_id[37]; /* of the active key; "": not known yet */
	uint32_t key_generation;

	/* May the state token in the header be obeyed? "none", "unverified", "verified",
	 * "untrusted" */
	char state_token[16];
	char state_token_reason[192]; /* why not; "" */
	bool has_queued_rotation;
	struct rotate_options queued_rotation;
	struct run_options run; /* of the rotation that is there, or would be */
	struct last_rotation last_rotation;

	struct job *job; /* the present one, or NULL */

	void *bus_slot; /* for the bus layer alone */

	/* The core's own. */
	struct volume_core *core;
};

static inline uint64_t volume_bytes_left(const struct volume *v)
{
	return v->bytes_total > v->bytes_done ? v->bytes_total - v->bytes_done : 0;
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
