/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Our own token in the header: which keys the volume has had, and what must survive a reboot. The
 * JSON stays as it is where we do not know its members; its history of keys is short, because the
 * header is small.
 *
 *   {"keys":[{"id","generation","state","registered","populated","activated","retired"}],
 *    "suspended":"reason", "rate":N, "queued":{rotation_settings, choice_settings},
 *    "cancel":true, "turned":true|false, "group":"id", "held":"UUID of a volume", "deadline":N,
 *    "late":true, "now_until":N, choice_settings,
 *    "serial":N, "foreign":true, "side":"fingerprint", "old_side":"...", "new_side":"...",
 *    "last":{"outcome","message","started","converting","ended"}}
 *
 *   a key:  registered (named) -> populated (in a keyslot) -> active (written with) -> retired
 *
 * What rows of settings are called here is in model/settings.c. Times: realtime clock,
 * microseconds, 0: not yet.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/rotation.h"

#define RECORD_KEYS_MAX  4
#define RECORD_SIDE_SIZE 33 /* a fingerprint and its NUL; "": not known */

struct volume_key {
	char id[37];
	uint32_t generation;
	char state[16]; /* "registered", "populated", "active", "retired" */
	uint64_t registered_usec, populated_usec, activated_usec, retired_usec;
};

struct last_rotation {
	/* "preparing", "running", "finished", "cancelled", "failed"; "": there was none */
	char outcome[16];
	char message[128];
	uint64_t started_usec, ended_usec;
	uint64_t converting_usec; /* told that it has started, and converts since */
};

/* Fingerprints (luks/record-mac.h): the volume as it is, and both sides of the rotation. */
struct record_sides {
	char now[RECORD_SIDE_SIZE], old[RECORD_SIDE_SIZE], new[RECORD_SIDE_SIZE];
};

struct record {
	size_t n_keys;
	struct volume_key keys[RECORD_KEYS_MAX]; /* by generation */
	bool suspended;
	char suspend_reason[128];
	bool has_rate;
	uint64_t rate; /* bytes/s, 0: none */
	bool has_queued;
	struct rotate_options queued;
	bool cancel;    /* turn around */
	bool turned;    /* and it has been, or is to be undone: what ends now has the old key */
	char group[37]; /* what it is rotated together with, see group.c; "": by itself */
	char held[37];  /* may be prepared, and then waits for this volume's word; "": not */
	uint64_t deadline_usec; /* realtime, of this rotation; 0: as configured */
	struct run_choices run; /* of this rotation */
	bool late;              /* told that it cannot be held */
	uint64_t now_until;     /* realtime: windows do not count till then */
	struct last_rotation last;
	uint64_t serial; /* grows with each record that is written */
	bool foreign;    /* orders of another host, which nobody has confirmed here */
	struct record_sides sides;
};

/* @json: "" for a header without. What is wrong in it is left out. -ENOMEM; -EBADMSG: no object. */
int record_parse(const char *json, struct record *ret);

/* @json as it was, with @r in it; the caller frees *ret. -ENOMEM. */
int record_format(const struct record *r, const char *json, char **ret);

/*
 * The states of keys follow what happens to the volume. Pure; @now is realtime. A volume without a
 * key of ours has had one since before we came: it is registered as active, generation 0. -EIO etc.
 * from the random number generator.
 */
int record_begin(struct record *r, bool keep_key, uint64_t now); /* before the header's commit */
void record_prepared(struct record *r, uint64_t now);            /* in re-encryption */
/*
 * False when it converts already, be it before a reboot. A re-encryption that somebody else began
 * is a rotation from here on.
 */
bool record_started(struct record *r, uint64_t now);
void record_converting(struct record *r, uint64_t now);            /* the new key is written with */
void record_ended(struct record *r, bool cancelled, uint64_t now); /* out of re-encryption */
/* Preparing has failed: the new key is forgotten, and so is the wish. */
void record_failed(struct record *r, const char *message, uint64_t now);

/* --- record-wish.c: what callers ask for --- */

/* A rotation is to begin, by itself, and nothing of an earlier one holds. */
void record_wish(struct record *r, const struct rotate_options *options);
/* A rotation is to begin after the present one, or instead of the one that was to. */
void record_queue(struct record *r, const struct rotate_options *options);
void record_drop_queued(struct record *r);
/* The rotation that was to begin is in the header now. */
void record_take_queued(struct record *r);
/* Of the rotation that is to begin (@queued), or of the present one. */
void record_choose_run(struct record *r, bool queued, const struct run_choices *run);
void record_suspend(struct record *r, const char *reason);
void record_unsuspend(struct record *r);
/* The same, and orders of another host are confirmed. */
void record_resume(struct record *r);
void record_ignore_windows(struct record *r, uint64_t until);
void record_cancel(struct record *r);
/* The header leads back already. */
void record_go_back(struct record *r);
/* Its group is taken back, and it may have been prepared. */
void record_take_back(struct record *r);
/* It was cancelled before anything of it was written. */
void record_forget_wish(struct record *r, uint64_t now);
void record_set_rate(struct record *r, bool has_rate, uint64_t rate);
/* It may be prepared, and then waits for the word of @first, a volume's UUID; see group.c. */
void record_hold(struct record *r, const char *group, const char *first);
void record_release(struct record *r);
/* The deadline cannot be held. True: that is new for this rotation. */
bool record_late(struct record *r);
/* Its orders wait for a person; and they no longer do. */
void record_distrust(struct record *r);
void record_confirm(struct record *r);
/* What a person agreed to elsewhere, or what only a token says of it: here nobody has. */
void record_forget_consent(struct record *r);

/* The next one that is written has this serial. */
void record_set_serial(struct record *r, uint64_t serial);

/* The record as compact JSON without what the worker adds; "" stays "". The caller frees *ret. */
int record_canonical(const char *json, char **ret);

/* What counts of a record that nobody vouches for: what stops or slows. */
struct record record_hints(const struct record *found, uint64_t configured_rate);

/* A header, as far as it can tell whether it belongs to a record. */
struct record_header {
	bool in_reencryption, backward;
	const char *old_side, *new_side; /* as the worker names them; of a volume at rest: "" */
};

enum record_match {
	RECORD_MATCHES,
	RECORD_ENDED_NEW,     /* the rotation of the record is over, with its new key */
	RECORD_ENDED_OLD,     /* it was taken back */
	RECORD_OTHER_KEY,     /* another program has re-encrypted the volume meanwhile */
	RECORD_ROLLED_BACK,   /* a header of before has taken the place of the one that belongs here
			       */
	RECORD_OTHER_ROTATION /* a re-encryption that does not begin with the key in use */
};

/* Records that name no sides are older: what they say is taken for right. */
enum record_match record_compare(const struct record *r, const struct record_header *h);

/* A rotation has begun, with these sides; until then the record has those of the one before. */
void record_note_sides(struct record *r, const struct record_header *h);

/* The volume as it is, where the record does not know yet. */
void record_note_side(struct record *r, const char *side);

/* A key that is none of the record's is in use: another program has made it. */
void record_other_key(struct record *r, const struct record_header *h, uint64_t now);

/* A person takes the header as it is, whatever the record says. */
void record_accept_header(struct record *r, const struct record_header *h, uint64_t now);

/* From here on a cancel is carried out. False: nobody asked for one, or that is known already. */
bool record_turned(struct record *r);

/* The key that new data is written with, or NULL. */
const struct volume_key *record_active_key(const struct record *r);

/*
 * The state as it is told: while data are left under a key that another one takes over from, it is
 * "retiring". The record has no word for that, but the time that is missing.
 */
const char *volume_key_state(const struct volume_key *k);

/* Of the oldest key that data are under; 0 where none is known. */
uint32_t volume_keys_protected(const struct volume_key *keys, size_t n);
