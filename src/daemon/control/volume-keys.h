/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A slot of the volume: who has its keys. Passphrases and keys are in the worker's memory alone;
 * the volume keys of a rotation that runs are in the fd store as well, for the next worker.
 *
 *                provider, Unlock()          the rotation is over
 *     missing <----------------------> held ----------------------> spent
 *        \       worker died, no key opens ^ \
 *         \                    another key | | keyslots would be lost
 *          \                               | v
 *           \                              few
 *            `----------- Lock() ----------`--> locked: the provider is not asked
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum key_state {
	KEYS_MISSING,
	KEYS_HELD,  /* the worker has them */
	KEYS_FEW,   /* it has some; a rotation waits for those of the keyslots that it would lose */
	KEYS_SPENT, /* the rotation that they were for is over, and the worker may have them still
		     */
	KEYS_LOCKED /* by a person: the provider is not to be asked */
};

struct volume_keys {
	const char *uuid; /* the volume's */
	enum key_state state;
	bool provider_asked; /* since it may have had them last */
	bool given;          /* one of them by a person, who may want to use it again */
	uint32_t awaited;    /* of few: bit n: the passphrase of keyslot n; 0: not known */
	char reason[512];    /* why none is there, or what few lacks; "" */
	int old_fd, new_fd;  /* memfds of the fd store, or -1 */
};

/* @uuid is the volume's, and outlives the slot. */
void keys_init(struct volume_keys *k, const char *uuid);
/* What an earlier manager has left in the fd store. */
void keys_take_stored(struct volume_keys *k);
/* The fd store keeps what it has. */
void keys_free(struct volume_keys *k);

/* Has the worker any? */
bool keys_are_held(const struct volume_keys *k);
/* All that are needed, as far as is known? */
bool keys_suffice(const struct volume_keys *k);
/* Are there volume keys that a new worker can go on with? */
bool keys_are_stored(const struct volume_keys *k);
/* May the provider still be asked? */
bool keys_provider_is_left(const struct volume_keys *k);

/* The worker has keys now, @given by a person or not; the header still misses @missing. */
void keys_got(struct volume_keys *k, bool given, uint32_t missing);
/* What the worker has would lose the keyslots @missing: others are awaited. */
void keys_too_few(struct volume_keys *k, uint32_t missing, const char *reason);
/* What few lacks may not be wanted any more: it is tried again. */
void keys_try_again(struct volume_keys *k);
/* A worker that was found says whether it has any. */
void keys_found(struct volume_keys *k, bool has);
/* The worker hands over copies of its volume keys. @old_fd and @new_fd stay the caller's. -EMFILE.
 */
int keys_store(struct volume_keys *k, int old_fd, int new_fd);

void keys_ask_provider(struct volume_keys *k);
/* It may be asked again. */
void keys_ask_again(struct volume_keys *k);
/* A new rotation, which may also undo a Lock(). */
void keys_wish(struct volume_keys *k);

/* There is a new worker, which has none. */
void keys_start(struct volume_keys *k);
/* The worker that had them is gone. A provider that gave them, or was @asked, may give them again.
 */
void keys_lost(struct volume_keys *k, bool asked);
/* None that the worker had opens the volume: a person has to give another one. */
void keys_refused(struct volume_keys *k, const char *reason);
void keys_locked(struct volume_keys *k);
/* Nothing needs them any more. */
void keys_spent(struct volume_keys *k);
/* Those of the fd store. */
void keys_drop(struct volume_keys *k);
