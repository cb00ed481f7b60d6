/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What callers ask for, and what a dry run answers: plain values, from the bus to the worker. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/failure.h"

/* Whether; the configuration has a say in it, too. */
enum choice {
	CHOICE_CONFIGURED, /* as that says */
	CHOICE_NO,
	CHOICE_YES,
};

/* What a rotation says of all its runs, there and back. */
struct run_choices {
	enum choice skip_unwritten, verify;
};

/* What holds for one run of the worker. */
struct run_options {
	bool skip_unwritten;     /* leave unwritten blocks as they are */
	bool verify;             /* read back what was written */
	uint64_t least_sequence; /* an older header is not the one that is meant; 0: any */
	char side[33];           /* what a rotation begins with, as looks name it; "": any */
};

/* What a rotation changes; an empty string or 0 leaves it as it is. */
struct rotate_options {
	char cipher[128];     /* "aes-xts-plain64" */
	uint32_t key_size;    /* bytes */
	uint32_t sector_size; /* bytes */
	bool keep_key;        /* only cipher or sector size */
	char resilience[16];  /* "checksum", "journal" */
	char hash[32];        /* of checksum, LUKS2 name */
	int keyslot;          /* carry only this one over, or -1: all */
	bool lose_keyslots;   /* else KeyslotsLost when one cannot be carried over */
	bool force_offline;   /* no file system depends on the sector size */
	char pbkdf[16], pbkdf_hash[32];
	uint32_t pbkdf_time_ms, pbkdf_iterations, pbkdf_memory_kib, pbkdf_parallel;
	bool may_weaken;        /* a person chose what this changes, weaker or not */
	bool queue;             /* remember it when one runs */
	uint64_t deadline_usec; /* realtime, 0: as configured */
	struct run_choices run;
};
#define ROTATE_OPTIONS_NONE                                                                        \
	{                                                                                          \
		.keyslot = -1                                                                      \
	}

struct resume_options {
	bool now;               /* until the next window ends, wait for none */
	struct run_choices run; /* what it says replaces what the rotation said */
};

struct unlock_options {
	char type[16]; /* "passphrase" (the default when empty), "volume-key" */
	int keyslot;   /* or -1 */
};

/* The dry run of a rotation. */
struct check_result {
	struct failure obstacle; /* name "": nothing stands in the way */
	char old_cipher[128], new_cipher[128];
	uint32_t old_key_size, new_key_size;       /* bytes */
	uint32_t old_sector_size, new_sector_size; /* bytes */
	uint64_t bytes;                            /* to convert */
	uint64_t estimated_usec;                   /* 0: unknown */
	size_t n_lost, n_kept;
	uint32_t lost[32], kept[32]; /* keyslots */
};
