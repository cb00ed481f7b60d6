/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whoever has a passphrase without a person: a key file, a credential of systemd, the kernel
 * keyring, a token of the header with its plugin. Any of them may hang (a file on a dead server, a
 * plugin that waits for the network), so a process of its own asks, and is killed when the time is
 * over. It answers in frames on a pipe:
 *
 *     | kind | error | size | passphrase, or text of an error |
 */
#pragma once

#include <stdint.h>

#include "luks/fields.h"
#include "luks/place.h"
#include "util/secret.h"

#define PROVIDER_VERB "provide"

struct provider_question {
	const char *provider;           /* "key-file", "credential", "keyring", "token" */
	const char *path;               /* key-file */
	uint64_t offset, size;          /* key-file: bytes; size 0: all */
	const char *name;               /* credential: a file name */
	const char *description;        /* keyring */
	const char *device;             /* for messages */
	const struct luks_place *place; /* token */
	int token;                      /* -1: any */
};

struct provider_answer {
	struct secret *passphrase[LUKS_MAX_TOKENS]; /* one, or one for each token that has it */
	unsigned n;
};

/*
 * Logs why it fails. -EINVAL: no such provider, or it needs something else; -ENOKEY: it has
 * nothing; -ETIMEDOUT: no answer within @timeout_usec; -ECANCELED: none until @stop_fd could be
 * read from.
 */
int provider_ask(const struct provider_question *q, uint64_t timeout_usec, int stop_fd,
		 struct provider_answer *ret);
/*
 * Reads what the process that was asked said: frames of provider-frame.h. Adds to @a, also before a
 * failure: -EBADMSG (no frames, or more than fit), or the error that the process tells, logged.
 */
int provider_take_answer(const struct secret *s, struct provider_answer *a);

void provider_answer_clear(struct provider_answer *a);

/* The process that asks: recrypt-worker provide PROVIDER ARGUMENT... */
int provider_main(int argc, char **argv);
