/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What only a run in the foreground says: a person is there who has chosen it, and who answers.
 * Plain values; settings.h describes each member.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum foreground_verb {
	FOREGROUND_NONE,
	FOREGROUND_REENCRYPT,
	FOREGROUND_RECOVER,
	FOREGROUND_CANCEL,
	FOREGROUND_VERB_COUNT
};

/* "reencrypt", ... */
extern const char *const foreground_verb_names[FOREGROUND_VERB_COUNT];

/* Texts belong to who has filled it: the command line, or who has read a message. */
struct foreground_options {
	enum foreground_verb verb;
	bool init_only, resume_only, batch_mode;
	bool trust_position; /* of a header of --resilience none */
	bool no_keyslots;    /* for the new key */
	bool ignore_own_header;
	char *uuid;            /* that is expected; NULL: any */
	uint64_t hotzone_size; /* bytes, multiple of 512; 0: the default */
	uint32_t old_key_size; /* bytes that the current key must have; 0: any */
	bool both_key_sizes;   /* both are given, so that the new one has --new-key-size */
	int token_id;          /* or -1: any */
	char *token_type;
	bool token_only;
	/* Tokens are tried before anybody is asked, though none of the three above is given. */
	bool try_tokens;
	uint32_t tries;      /* wrong passphrases in a row, before the run gives up */
	bool empty_gives_up; /* an empty passphrase that opens nothing gives the keyslot up */
};

#define FOREGROUND_OPTIONS_NONE                                                                    \
	{                                                                                          \
		.token_id = -1                                                                     \
	}

/* Is it said which tokens may open keyslots? */
static inline bool foreground_chooses_tokens(const struct foreground_options *f)
{
	return f->token_id >= 0 || f->token_type || f->token_only;
}
