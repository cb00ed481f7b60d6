/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The command line of recryptctl. Names and meaning are those of cryptsetup-reencrypt(8).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/rotation.h"

enum verb {
	VERB_REENCRYPT,
	VERB_RECOVER,
	VERB_CANCEL,
	VERB_STATUS,
	VERB_HELP,
	VERB_VERSION,
	/* Those of the daemon alone. */
	VERB_LIST,
	VERB_ROTATE,
	VERB_SUSPEND,
	VERB_RESUME,
	VERB_RATE,
	VERB_UNLOCK,
	VERB_LOCK,
	VERB_ACCEPT,
	VERB_KEYS,
	VERB_CONFIG,
	VERB_HISTORY,
	VERB_CHECK,
	VERB_MONITOR,
	VERB_WAIT,
	VERB_ADD,
	VERB_REMOVE,
	VERB_COMPLETE, /* for the shells */
};

enum json_format { JSON_OFF, JSON_SHORT, JSON_PRETTY };

/* Until the work is done, or until it is done or a person is needed. */
enum wait_mode { WAIT_OFF, WAIT_DONE, WAIT_ATTENTION };

#define OPTION_ANY_TOKEN    (-1)
#define OPTION_NOT_GIVEN    UINT32_MAX
#define OPTION_THREADS_MAX  256
#define OPTION_KEY_TIMEOUT  60   /* seconds, by default */
#define OPTION_KEY_COST_MIN 1000 /* steps; no keyslot is made that costs less */

/* Strings point into argv or are NULL where not given; numbers are 0 where not given. */

/* Where the volume is, and which one is meant. */
struct target_options {
	const char *device;      /* the first operand; NULL: only --active-name was given */
	char **operands;         /* all of them, NULL-terminated */
	const char *active_name; /* for find_mapping_name() */
	const char *header;
	const char *type;       /* of the header that is expected, such as "luks2" */
	const char *uuid;       /* that is expected; NULL: any */
	uint64_t device_size;   /* bytes, multiple of 512 */
	bool allow_shared;      /* files that other users can change or replace */
	bool ignore_own_header; /* of a device that is used with a detached one */
};

/* Where passphrases and volume keys come from; rotation.keyslot says which keyslot is opened. */
struct key_options {
	const char *key_file;                  /* "-": standard input */
	uint64_t keyfile_offset, keyfile_size; /* bytes */
	const char *key_description;           /* of a passphrase in a kernel keyring */
	const char *volume_key_file, *new_volume_key_file;
	const char *volume_key_keyring, *new_volume_key_keyring;
	int token_id; /* or OPTION_ANY_TOKEN */
	const char *token_type;
	bool token_only;
	bool no_keyslots;      /* for the new key */
	unsigned tries;        /* never 0 */
	unsigned timeout;      /* seconds, also of a wait for the end of the work; 0: none */
	uint32_t old_key_size; /* bytes that the current key must have; 0: any */
	uint32_t new_key_size; /* as given; options_parse() puts it into rotation.key_size */
};

/* The most that deriving the key of one keyslot may cost, whatever the header says. */
struct derive_options {
	unsigned timeout;    /* seconds, 0: none */
	uint64_t memory_max; /* bytes, 0: the default */
	uint32_t cost_max;   /* steps, 0: the default */
};

/* How fast, and in which steps. */
struct pace_options {
	uint64_t hotzone_size;       /* bytes, multiple of 512 */
	uint32_t stall_target_ms;    /* 0: none; or OPTION_NOT_GIVEN */
	uint64_t rate;               /* bytes per second, 0: no limit */
	const char *governor;        /* the name of its mode */
	uint64_t rate_min, rate_max; /* of it, bytes per second */
	uint32_t latency_target_ms;
	uint32_t threads; /* for the ciphers and checksums; 0: one for each CPU */
};

struct output_options {
	unsigned progress_frequency; /* seconds */
	bool progress_json, verbose, debug;
	enum json_format json;
	const char *columns;
	bool no_legend;
};

/* Of the verbs of the daemon. */
struct control_options {
	const char *remote; /* user@host, NULL: here */
	const char *reason, *group;
	bool no_ask_password, all;
	enum wait_mode wait;
	bool host; /* the rate of the host */
	bool now;  /* without waiting for a window */
	bool force;
	const char *deadline;
};

struct options {
	enum verb verb, help_of; /* of VERB_HELP: on which verb; VERB_HELP: on all */
	struct target_options target;
	struct key_options keys;
	struct derive_options derive;
	struct rotate_options rotation; /* but for its run, which is @run here */
	struct run_options run;
	struct pace_options pace;
	struct output_options output;
	struct control_options daemon;
	bool foreground, init_only, resume_only, batch_mode;
	bool trust_position; /* of a header of --resilience none */
	uint64_t ignored[2]; /* bit n: row n of the table was given and changes nothing */
};

/* What stands where nothing is given. */
#define OPTIONS_NONE                                                                               \
	{                                                                                          \
		.keys = {.token_id = OPTION_ANY_TOKEN}, .rotation = ROTATE_OPTIONS_NONE,           \
		.derive = {.timeout = OPTION_KEY_TIMEOUT}, .pace = {                               \
			.stall_target_ms = OPTION_NOT_GIVEN                                        \
		}                                                                                  \
	}

/*
 * argv[1] is the verb. A wrong command line is logged in one line: -EINVAL, -ENOTSUP (something
 * that we do not do, named with the reason).
 */
int options_parse(int argc, char **argv, struct options *ret);

/* What of @o makes no whole, beyond what each option allows by itself. Logs failures. */
int options_check(const struct options *o);

/* Is it said which tokens may open keyslots? */
static inline bool options_choose_tokens(const struct options *o)
{
	const struct key_options *k = &o->keys;

	return k->token_id != OPTION_ANY_TOKEN || k->token_type || k->token_only;
}

/* Names what was given and changes nothing. Once the log's level is known. */
void options_tell_ignored(const struct options *o);

/* "64M", "1GiB", "2MB", "2048S" in bytes, units as cryptsetup has them. -EINVAL, -EOVERFLOW. */
int options_parse_size(const char *text, uint64_t *ret);
