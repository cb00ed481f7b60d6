/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The dictionaries, a{sv}, of the messages between manager and worker, or recryptctl and worker.
 * Both ends have the same plain struct for each, and messages.c has one row for each entry: its
 * name, kind and member.
 *
 *     report   worker:  struct -- message_append() --> a{sv} -- message_read() --> struct  :manager
 *     order    manager: struct -- message_append() --> a{sv} -- message_read() --> struct  :worker
 *
 * After an upgrade a manager finds workers of the version before, and a manager that has not been
 * restarted yet starts a worker of the new version. So:
 *
 *   - An entry that is unset is not sent. message_init() says what absence means, and a new row has
 *     to mean by unset what a version without the row does.
 *   - A reader of a report skips entries that it does not know.
 *   - A worker refuses an order with an entry that it does not know: it would not obey it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "luks/bindings.h"
#include "luks/record-mac.h"
#include "luks/reencrypt.h"
#include "model/failure.h"
#include "model/foreground.h"
#include "model/rotation.h"
#include "model/settings.h"
#include "model/worker-job.h"
#include "util/error.h"
#include "util/node.h"

/* --- reports of the worker; texts that are char * are never NULL for who has read them --- */

struct worker_progress {
	uint64_t bytes_done, bytes_total, hotzone_offset, hotzone_size;
	uint64_t rate; /* bytes/s since the last one */
	uint64_t longest_stall_usec, stall_999_usec, longest_suspend_usec; /* of this run */
	uint64_t unavoidable_stall_usec; /* 0: the stall target is within reach */
	uint64_t governor_rate;          /* bytes/s; 0: no limit by it */
	char governor_reason[128];       /* "": there is nothing to govern */
};

enum reencryption {
	REENCRYPTION_NONE = LUKS_REENC_NONE,
	REENCRYPTION_CLEAN = LUKS_REENC_CLEAN,
	REENCRYPTION_HOT = LUKS_REENC_HOT,
	REENCRYPTION_FINISH = LUKS_REENC_FINISH,
};

/* Of a re-encryption; without one only the old side is that of the volume. */
struct parameters {
	char mode[16]; /* "reencrypt", "encrypt", "decrypt"; "" without one, as the next three */
	char direction[16]; /* "forward", "backward" */
	char resilience[32];
	char resilience_hash[33];                  /* "" with a journal */
	char old_cipher[128], new_cipher[128];     /* the old one also at rest: the cipher in use */
	uint32_t old_sector_size, new_sector_size; /* bytes */
	uint32_t new_key_size;                     /* bytes; 0: no keyslot tells */
	bool keep_key;
	/* Of all keyslots of the new key; "": they differ, or the key stays. */
	char new_pbkdf[16], new_pbkdf_hash[33];
};

/* Inspect(): the header and the live table, without keys. */
struct worker_look {
	bool valid; /* else the volume could not be read, and nothing else is set */
	char *uuid, *device;
	char *header_device;           /* as @device without a detached header */
	char *name;                    /* "": offline */
	char *record;                  /* "": none */
	struct node node, header_node; /* of device and header; not known to an older worker */
	enum reencryption reencryption;
	struct parameters parameters;
	struct worker_progress progress; /* bytes and hotzone only */
	bool stacked;                    /* helpers of a worker that died are there */
	bool supported;                  /* false: only cryptsetup can resume it */
	/* Bit n: keyslot n is there; is opened by a passphrase that the worker has; would be lost
	 * for want of one if a rotation began now. */
	uint32_t keyslots, open_keyslots, missing_keyslots;
	char **keyslot_types; /* NULL-terminated; what opens each of @keyslots (luks/bindings.h) */
	char **disks;         /* NULL-terminated: sysfs names of the disks at the bottom, sorted */
	enum record_trust trust;
	uint64_t sequence; /* of the header */
	/* Fingerprints of both sides (luks/record-mac.h); at rest that of the volume, and "". */
	char old_side[LUKS_FINGERPRINT_SIZE], new_side[LUKS_FINGERPRINT_SIZE];
};

/* What Check() and Prepare() found. With Check() the look is of the volume as it would be. */
struct check_result {
	struct failure obstacle; /* name "": nothing stands in the way */
	uint32_t old_key_size;   /* bytes */
	uint64_t estimated_usec; /* 0: unknown */
	uint32_t kept, lost;     /* bit n: keyslot n */
};

enum worker_outcome { OUTCOME_NONE, OUTCOME_FINISHED, OUTCOME_STOPPED };

/* Done: how a job ended. Its first three arguments stand beside the dictionary. */
struct worker_end {
	enum worker_job job;
	int error;              /* 0 or a negative errno */
	struct failure failure; /* where error is not 0 */
	struct worker_look look;
	enum worker_outcome outcome; /* of Convert() */
	uint32_t opened;             /* bit n: by Unlock() or UseProvider() keyslot n */
	struct check_result check;
};

/* 0: none, or the worker's own. */
struct worker_limits {
	uint64_t rate;        /* bytes/s */
	uint64_t hotzone_max; /* bytes */
	uint64_t stall_target_usec;
};

/* GetStatus() */
struct worker_status {
	enum worker_job job; /* until its Done is sent */
	char version[32];    /* of the worker's program */
	bool unlocked;       /* the worker has all keys that Convert() needs */
	uint32_t passphrases;
	struct worker_limits limits;
	struct run_options run; /* of the last Convert() */
	struct worker_progress progress;
};

/* --- orders of the manager --- */

/*
 * Which volume a job is for. By now another disk may lie at the path, or a link may have moved to a
 * clone with the same UUID. So the worker compares what it opens with what the job names.
 */
struct identity {
	char uuid[37];            /* of the LUKS header; "": any */
	struct node data, header; /* not known: any */
};

struct unlock_options {
	char type[16]; /* "passphrase" (the default when empty), "volume-key" */
	int keyslot;   /* or -1 */
};

/* Of struct unlock_options; those of Unlock() on the bus of the system, too. */
extern const struct setting unlock_settings[];

/* Where the passphrase of a volume comes from when nobody sends one. */
enum provider_kind {
	PROVIDER_NONE,       /* only Unlock() */
	PROVIDER_KEY_FILE,   /* KeyFile= is its path */
	PROVIDER_CREDENTIAL, /* Credential= names one of LoadCredential*= */
	PROVIDER_KEYRING,    /* KeyringKey= is the description of a "user" key */
	PROVIDER_TOKEN,      /* Token= is the number of a LUKS2 token, or -1 for any */
	PROVIDER_COUNT
};

/* "none", "key-file", ... */
extern const char *const provider_kind_names[PROVIDER_COUNT];

struct provider {
	enum provider_kind kind;
	char *key_file;        /* path */
	uint64_t offset, size; /* of the key file, bytes; size 0: to its end */
	char *credential;      /* name */
	char *keyring_key;     /* description */
	int token;             /* or -1 */
	uint64_t timeout_usec; /* how long it, or deriving one key, may take; 0: the default */
};

/* UseProvider() */
struct provider_order {
	struct provider provider;
	int keyslot; /* try only this one, or -1 */
};

/* Check() and Prepare() */
struct prepare_order {
	struct rotate_options rotation;
	struct run_options run; /* to see whether it could convert */
};

/* RunInForeground() */
struct foreground_order {
	struct rotate_options rotation;
	struct run_options run;
	struct foreground_options foreground;
};

/* --- questions of a worker to recryptctl, while it runs in the foreground --- */

enum question_kind {
	QUESTION_NONE,
	QUESTION_PASSPHRASE,     /* of @keyslot, or of any */
	QUESTION_NEW_PASSPHRASE, /* one that opens nothing yet */
	QUESTION_VOLUME_KEY,     /* the current one, where it was given */
	QUESTION_NEW_VOLUME_KEY,
	QUESTION_IS_KEY_GIVEN,   /* can a passphrase be had at all? */
	QUESTION_LOSE_KEYSLOTS,  /* those that have just been named */
	QUESTION_TRUST_POSITION, /* of a header that has just been told of */
	QUESTION_SHOW_PROGRESS,  /* none: a conversion begins */
	QUESTION_LEAVE_PROGRESS, /* none: it has ended, and something may be said of that */
	QUESTION_COUNT
};

/* Question */
struct worker_question {
	uint32_t number; /* from 1 on: the answer has it, too */
	enum question_kind kind;
	char *device; /* what people know the volume by; never NULL for who has read it */
	int keyslot;  /* or -1 */
	char binding[LUKS_BINDING_SIZE]; /* what opens that keyslot (luks/bindings.h), or "" */
	uint32_t keyslots;               /* that would be lost, bit n: keyslot n */
	bool again;                      /* the last passphrase has opened nothing */
};

/* Answer(), beside the secret that was asked for, if any. */
struct worker_answer {
	uint32_t number;
	uint32_t error; /* 0, or what struct luks_passphrases says of its negative value */
};

/* --- messages --- */

enum message_kind {
	MESSAGE_LOOK,       /* struct worker_look: the answer to Inspect() */
	MESSAGE_END,        /* struct worker_end: Done */
	MESSAGE_PROGRESS,   /* struct worker_progress */
	MESSAGE_STATUS,     /* struct worker_status: the answer to GetStatus() */
	MESSAGE_IDENTITY,   /* struct identity: SetIdentity() */
	MESSAGE_UNLOCK,     /* struct unlock_options */
	MESSAGE_PROVIDER,   /* struct provider_order */
	MESSAGE_PREPARE,    /* struct prepare_order: Check(), Prepare() */
	MESSAGE_RUN,        /* struct run_options: Undo(), Convert(), Recover(), Reverse() */
	MESSAGE_FOREGROUND, /* struct foreground_order: RunInForeground() */
	MESSAGE_QUESTION,   /* struct worker_question: Question */
	MESSAGE_ANSWER,     /* struct worker_answer: Answer() */
	MESSAGE_COUNT
};

#define MESSAGE_PARTS_MAX 6

struct message_format {
	const char *name;
	struct {
		const struct setting *rows; /* NULL: there are no more */
		size_t where;               /* what they are of, in the struct of the message */
	} part[MESSAGE_PARTS_MAX];
	unsigned place;    /* of the rows that count */
	size_t size;       /* of the struct */
	const void *unset; /* the struct of an empty dictionary; NULL: all zero */
	bool order;        /* what is not understood is refused */
	int (*complete)(void *value);
};

extern const struct message_format messages[MESSAGE_COUNT];

/* @value becomes that of an empty dictionary; message_clear() frees what it owns before. */
void message_init(enum message_kind kind, void *value);
void message_clear(enum message_kind kind, void *value);

/* Appends the dictionary. */
int message_append(sd_bus_message *m, enum message_kind kind, const void *value);

/*
 * Reads the dictionary that comes next into @ret, which need not be initialized; after a failure it
 * is that of an empty one. -EINVAL: an order cannot be obeyed, @problem (of @size bytes; not used
 * for a report) says why; -EBADMSG: a report is not understood; -ENOMEM and those of sd-bus.
 */
int message_read(sd_bus_message *m, enum message_kind kind, void *ret, char *problem, size_t size);
