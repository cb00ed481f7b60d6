/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A rotation: what a caller asks for, what the header's record remembers and what the worker is
 * told. Plain values; settings.h describes each member.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What the runs of a rotation do besides, or leave out. One line describes each: its field, which
 * is also its name in the header's record and in the engine's configuration; its name in our
 * configuration, on the bus and as a property; its option of recryptctl, the verbs that have it
 * (cli/options-table.c) and its line of help; the line of `recryptctl status` where it is on.
 *
 *     [Volume] of the host < [Volume UUID] < Rotate(), later Resume() or Cancel()
 */
#define RUN_SWITCHES(SWITCH)                                                                       \
	SWITCH(skip_unwritten, "SkipUnwritten", "skip-unwritten", CONVERSION,                      \
	       "leave blocks as they are that were never written or were discarded",               \
	       "Unwritten:", "left as they are")                                                   \
	SWITCH(verify, "Verify", "verify", CONVERSION_OR_RECOVERY,                                 \
	       "read back what was written while the old data is still protected",                 \
	       "Verify:", "what is written is read back")

#define RUN_SWITCH_FLAG(field, ...)   bool field;
#define RUN_SWITCH_CHOICE(field, ...) enum choice field;

/* Whether; the configuration has a say in it, too. */
enum choice {
	CHOICE_CONFIGURED, /* as that says */
	CHOICE_NO,
	CHOICE_YES,
};

/* What the configuration says. */
struct run_switches {
	RUN_SWITCHES(RUN_SWITCH_FLAG)
};

/* What a rotation says of all its runs, there and back. */
struct run_choices {
	RUN_SWITCHES(RUN_SWITCH_CHOICE)
};

/* What holds for one run of the worker. */
struct run_options {
	RUN_SWITCHES(RUN_SWITCH_FLAG)
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
