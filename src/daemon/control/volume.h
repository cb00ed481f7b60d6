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
#include <systemd/sd-event.h>

#include "daemon/control/mark.h"
#include "daemon/policy/deadline.h"
#include "daemon/policy/schedule.h"
#include "daemon/policy/volume-plan.h"
#include "daemon/state/failure.h"
#include "daemon/state/record.h"
#include "daemon/state/remembered.h"
#include "pace/governor.h"
#include "proto/messages.h"

struct job;
struct manager;
struct request;
struct volume;
struct worker_link;

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

/* Which device it is on, and what is known of that. */
struct volume_place {
	char *name;               /* dm name of the open mapping; "": closed */
	char *device;             /* path */
	char *header_device;      /* path; "": the header is on the device */
	struct identity identity; /* nodes not known: of a worker that does not tell */
	char **links;             /* of udev to the device; NULL-terminated, or NULL */
	char **disks;             /* NULL-terminated */
};

/* What the header showed when a worker last looked; what is of a re-encryption is "" out of one. */
struct volume_header {
	enum reencryption reencryption;
	bool unseen; /* its worker is gone, and may have prepared: it may be in re-encryption */
	bool stacked, supported;
	uint64_t sequence;
	char old_side[RECORD_SIDE_SIZE], new_side[RECORD_SIDE_SIZE];
	char mode[16];      /* "reencrypt", ... */
	char direction[16]; /* "forward", "backward" */
	char resilience[32];
	char old_cipher[128]; /* also out of re-encryption: the cipher in use */
	char new_cipher[128];
	uint32_t old_sector_size, new_sector_size; /* bytes */
	uint32_t new_key_size;                     /* bytes; 0: not known */
	bool keep_key;
	char resilience_hash[33];               /* "" with a journal */
	char new_pbkdf[16], new_pbkdf_hash[33]; /* of the new keyslots; "": not known */
};

/* How far the work is, and what it costs others. */
struct volume_progress {
	uint64_t bytes_total, bytes_done;
	uint64_t rate;              /* bytes/s, smoothed; 0 when nothing runs */
	uint64_t expected_end_usec; /* realtime; 0: unknown */
	uint64_t hotzone_offset, hotzone_size;
	uint64_t longest_stall_usec, stall_999_usec, longest_suspend_usec; /* of the present run */
	uint64_t unavoidable_stall_usec; /* now; 0: the stall target is within reach */
	uint64_t governor_rate;          /* bytes/s that the governor allows; 0: no limit */
	char governor_reason[128];       /* "": it has nothing to do */
};

/* What holds for the volume by its configuration, or since a caller said so. */
struct volume_settings {
	char *group;                /* of the configuration; "" */
	uint64_t rate_limit;        /* bytes/s of this volume, 0: none (the host's still holds) */
	bool rate_set;              /* through the bus */
	uint64_t stall_target_usec; /* of the configuration, 0: none */
	struct run_options run;     /* of the rotation that is there, or would be */
};

/* What the clock alone decides. */
struct volume_clock {
	bool outside;           /* of its windows */
	uint64_t window_change; /* realtime, when that changes; 0: to be looked at */
	char window_reason[96]; /* while outside */
	uint64_t deadline_usec; /* realtime; 0: none */
	bool at_risk;
	char risk_reason[96]; /* while it is at risk */
	struct deadline_watch watch;
	uint64_t looked;     /* at the deadline, realtime; 0: not yet */
	uint64_t risk;       /* realtime, when it will be at risk if nothing is done */
	uint64_t rate_floor; /* bytes/s that the deadline needs; 0: none */
};

/* The record as the bus shows it. */
struct shown_record {
	size_t n_keys;
	struct volume_key *keys;
	char key_id[37]; /* of the active key; "": not known yet */
	uint32_t key_generation;
	bool has_queued;
	struct rotate_options queued;
	struct last_rotation last;
};

/* The state token, and which record is obeyed (volume-trust.c). */
struct volume_token {
	struct record record; /* that is obeyed */
	char *json;           /* what it is put into: members that we do not know stay */
	char *sent_json;      /* as it was sent to the worker */
	struct record *found; /* of a token that is not obeyed; NULL: @record */
	char *found_json;     /* that token; NULL: all is obeyed */
	uint64_t found_serial;
	struct remembered memory;
	bool memory_loaded;
	/* May the token be obeyed? "none", "unverified", "verified", "untrusted" */
	char trust[16];
	char trust_reason[192]; /* why not; "" */
	char reason[192];
	struct shown_record shown;
};

/* How much of what was promised is in the header. */
struct volume_writing {
	uint64_t wanted, sent, durable; /* sequences of the record; 0: as it was found */
	bool only_here;                 /* the header would not take it */
	bool given_up; /* the header could not be reached: it is written when it can be */
};

/* Who has the keys. */
struct volume_keys {
	bool held;           /* the worker has them */
	bool provider_asked; /* and it could not help */
	bool used_up;        /* the rotation that they were for is over */
	bool locked_by_user; /* the provider is not to be asked */
	char reason[512];    /* why no key is there; "" */
	int old_fd, new_fd;  /* memfds of the fd store, or -1 */
};

/* Another process has the volume: tries in a row, and the wait for the next one. */
struct volume_retry {
	unsigned tries;
	sd_event_source *timer;
	bool due; /* not before the timer */
};

/* What the worker was told, so that nothing is told twice. */
struct volume_told {
	bool limits_sent;
	struct worker_limits limits;
	struct run_options run; /* of convert, while it is at work */
	bool governor_sent;
	struct governor_config governor;
};

struct volume_worker {
	struct worker_link *link; /* NULL: no worker is needed */
	bool stored;              /* its control socket is in the fd store */
	bool looked;              /* the worker has said what is in the header */
	enum worker_job job;      /* that it is at */
	bool stop_sent, reverse_sent;
	unsigned deaths; /* in a row, without progress between them */
	sd_event_source *restart;
	bool restart_due; /* not before the timer */
	sd_event_source *look_limit;
	struct volume_retry retry;
	struct volume_told told;
};

/* What a person has to see to. */
struct volume_trouble {
	bool failed;
	bool conflict; /* the header does not belong to the record: a person has to say */
	struct failure failure;
};

/* What callers read, and what they heard of it. */
struct volume_status {
	enum volume_state state;
	char reason[512];    /* of suspended, locked, failed, queued ...; else "" */
	char error[64];      /* of failed: the last part of the error's name; else "" */
	bool unlocked;       /* the worker has keys */
	bool found;          /* in re-encryption, by this manager, and it does not go on yet */
	bool suspended_told; /* there is a line in the journal */
	bool locked_told;    /* the same */
	bool by_window;      /* suspended, and not by the operator */
};

/* Where it waits for the right to run. */
struct volume_lines {
	struct schedule_entry prepare, convert;
};

/* For everybody to read; each slot is written by one file. */
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
	struct volume_worker worker;
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
	return v->progress.bytes_total > v->progress.bytes_done
		       ? v->progress.bytes_total - v->progress.bytes_done
		       : 0;
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
