/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How this process derives keys at the costs that a header names. A derivation may take minutes and
 * gigabytes, libcryptsetup cannot interrupt it, and the header that asks for it may be hostile. So
 * the cost is checked first (cost.h), and a process of its own does the work (derive-job.h). That
 * process is killed when the time is over or when a stop is wanted.
 *
 * A process sets its policy once, before it starts threads; one thread derives. Without a policy
 * (unit tests) the derivation happens here, within the default limits of the cost.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "luks/cost.h"
#include "luks/place.h"
#include "util/error.h"
#include "util/secret.h"

struct luks_derive_policy {
	struct luks_cost_limits limits;
	uint64_t timeout_usec; /* for one derivation; 0: none */
	int stop_fd;           /* readable while nothing may be derived; -1: nothing stops it */
	/*
	 * Has another process do @job by luks_derive_serve(), which gets the files of @place, and
	 * kills it at @deadline
	 * (-ETIMEDOUT; now_usec(), UINT64_MAX: never) or when @stop_fd says so (-ECANCELED).
	 * *ret_said gets what that process said until then, in any case; NULL: nothing. A policy
	 * without this function derives here.
	 */
	int (*run)(const struct secret *job, const struct luks_place *place, int stop_fd,
		   uint64_t deadline, struct secret **ret_said);
};

void luks_derive_set_policy(const struct luks_derive_policy *p);
const struct luks_derive_policy *luks_derive_policy(void);

/* Nothing is derived after @deadline until the next call; UINT64_MAX: no such limit. */
void luks_derive_set_deadline(uint64_t deadline);
/* The end of the time for @n derivations that begin now. */
uint64_t luks_derive_deadline(unsigned n);

/* -ECANCELED: a stop is wanted; -ETIMEDOUT: @deadline is over. */
int luks_derive_check(uint64_t deadline);

/*
 * A derivation that came to no result: its cost is too high, it took too long, it was stopped, or
 * (-ERROR_UNKNOWN_HASH) its hash is unknown here.
 */
static inline bool luks_derive_gave_up(int error)
{
	return error == -ERROR_COST_TOO_HIGH || error == -ETIMEDOUT || error == -ECANCELED ||
	       error == -ERROR_UNKNOWN_HASH;
}
/* Why the last one gave up: "keyslot 2: ...". */
const char *luks_derive_why(void);
/*
 * Notes why, and returns @error: stopped, too late, or (-ERROR_COST_TOO_HIGH) the process that
 * derived has died.
 * @what: "keyslot 2".
 */
int luks_derive_give_up(int error, const char *what);
int luks_derive_note(int error, const struct luks_reason *why);
/* Notes that OpenSSL has not got the hash of @what ("digest 1"), and returns -ERROR_UNKNOWN_HASH.
 */
int luks_derive_no_hash(const char *what, const char *hash);

/* Keyslots that gave up. They are not tried again, and another one may open. */
struct luks_given_up {
	uint32_t keyslots; /* bit n: keyslot n */
	int error;         /* of the first one */
	struct luks_reason why;
};

static inline bool luks_given_up(const struct luks_given_up *g, int keyslot)
{
	return keyslot >= 0 && g->keyslots & UINT32_C(1) << keyslot;
}

/*
 * 0: @r, of a try to open @keyslot, lets another keyslot be tried; else @r. What gave up is noted
 * in
 * @g, and said.
 */
int luks_given_up_note(struct luks_given_up *g, const char *device, int keyslot, int r);
/* The reason why no keyslot was opened is one that gave up: logs that and returns it, or 0. */
int luks_given_up_refuse(const struct luks_given_up *g, const char *device);

/* One PBKDF2 with the parameters of a digest. */
struct luks_pbkdf2 {
	const char *what; /* in messages: "digest 2" */
	const char *hash;
	const uint8_t *salt;
	size_t salt_size;
	uint32_t iterations;
};

/*
 * @size is the hash's at most. Here, but in small pieces, between which a stop is noticed. Gives up
 * as above.
 */
int luks_derive_pbkdf2(const struct luks_pbkdf2 *p, const struct secret *password, uint8_t *out,
		       size_t size);
