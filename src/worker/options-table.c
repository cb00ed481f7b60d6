/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/options-table.h"

#include <errno.h>
#include <stdio.h>

#include "util/checked.h"

/* The verbs that convert data, those that need keys, and all that look at a volume. */
#define BEGINS   ON(VERB_REENCRYPT)
#define CONVERTS (BEGINS | ON(VERB_CANCEL))
#define UNLOCKS  (CONVERTS | ON(VERB_RECOVER))
#define ALL      (UNLOCKS | ON(VERB_STATUS))

#define AT(field) offsetof(struct options, field)
#define FLAG(name, letter, field, verbs, help)                                                     \
	{                                                                                          \
		name, letter, KIND_FLAG, AT(field), verbs, 0, 0, NULL, help                        \
	}
#define TEXT(name, letter, field, verbs, value, help)                                              \
	{                                                                                          \
		name, letter, KIND_STRING, AT(field), verbs, 0, 0, value, help                     \
	}
#define NUMBER(name, letter, field, verbs, min, max, value, help)                                  \
	{                                                                                          \
		name, letter, KIND_U32, AT(field), verbs, min, max, value, help                    \
	}
#define OTHER(name, letter, kind, field, verbs, value, help)                                       \
	{                                                                                          \
		name, letter, kind, AT(field), verbs, 0, 0, value, help                            \
	}
#define REFUSED(name, letter, kind, reason)                                                        \
	{                                                                                          \
		name, letter, kind, 0, BEGINS, 0, 0, NULL, reason                                  \
	}

#define NO_ENCRYPT "turning plain data into a LUKS volume is not supported yet; use cryptsetup"
#define NO_DECRYPT "turning a LUKS volume into plain data is not supported yet; use cryptsetup"

const struct option_spec option_specs[] = {
	TEXT("header", 0, header, ALL, "FILE", "device or file with the detached header"),
	TEXT("active-name", 0, active_name, ALL, "NAME", "the open volume, by its mapping's name"),
	FLAG("foreground", 0, foreground, UNLOCKS, "run here, not in the daemon (the default now)"),

	TEXT("key-file", 'd', key_file, UNLOCKS, "FILE",
	     "read the passphrase from a file (- is all of standard input)"),
	OTHER("keyfile-offset", 0, KIND_U64, keyfile_offset, UNLOCKS, "BYTES",
	      "where it starts in the key file"),
	OTHER("keyfile-size", 'l', KIND_U64, keyfile_size, UNLOCKS, "BYTES",
	      "how much of the key file it is"),
	OTHER("key-slot", 'S', KIND_KEYSLOT, key_slot, UNLOCKS, "INT",
	      "open this keyslot; reencrypt: all others are lost"),
	TEXT("volume-key-file", 0, volume_key_file, UNLOCKS, "FILE",
	     "the current volume key, instead of a passphrase for it"),
	TEXT("new-volume-key-file", 0, new_volume_key_file, UNLOCKS, "FILE",
	     "the new volume key, instead of a random one"),
	NUMBER("tries", 'T', tries, UNLOCKS, 1, 1000, "INT", "attempts at a passphrase (3)"),
	NUMBER("timeout", 't', timeout, UNLOCKS, 0, INT32_MAX / 1000, "SECONDS",
	       "how long to wait for a passphrase at the terminal"),

	TEXT("cipher", 'c', cipher, BEGINS, "SPEC", "new cipher, such as aes-xts-plain64"),
	{"key-size", 's', KIND_BITS, AT(key_size), BEGINS, 8, 4096, "BITS",
	 "size of the new volume key"},
	NUMBER("sector-size", 0, sector_size, BEGINS, 512, 4096, "BYTES",
	       "new encryption sector size"),
	FLAG("keep-key", 0, keep_key, BEGINS,
	     "keep the volume key, change only cipher or sector size"),

	OTHER("resilience", 0, KIND_RESILIENCE, resilience, CONVERTS, "MODE",
	      "how a crash is survived: checksum or journal"),
	TEXT("resilience-hash", 0, resilience_hash, CONVERTS, "HASH", "hash of checksum (sha256)"),
	OTHER("hotzone-size", 0, KIND_SIZE, hotzone_size, CONVERTS, "SIZE",
	      "the most that is converted in one step"),
	OTHER("device-size", 0, KIND_SIZE, device_size, CONVERTS, "SIZE",
	      "re-encrypt only that much from the start of the data"),
	FLAG("init-only", 0, init_only, BEGINS, "write the start to the header, convert nothing"),
	FLAG("resume-only", 0, resume_only, BEGINS, "go on with what was begun, never begin"),
	FLAG("force-offline-reencrypt", 0, force_offline, UNLOCKS,
	     "trust that the volume is not in use (dangerous)"),

	TEXT("pbkdf", 0, pbkdf, BEGINS, "TYPE", "of new keyslots: argon2id, argon2i, pbkdf2"),
	TEXT("hash", 'h', pbkdf_hash, BEGINS, "HASH", "hash of pbkdf2"),
	NUMBER("iter-time", 'i', iter_time_ms, BEGINS, 1, UINT32_MAX, "MS",
	       "time that opening a new keyslot should take"),
	NUMBER("pbkdf-force-iterations", 0, pbkdf_iterations, BEGINS, 4, UINT32_MAX, "INT",
	       "iterations, without a benchmark"),
	NUMBER("pbkdf-memory", 0, pbkdf_memory_kib, BEGINS, 32, 4194304, "KILOBYTES",
	       "memory of argon2"),
	NUMBER("pbkdf-parallel", 0, pbkdf_parallel, BEGINS, 1, 4, "THREADS", "threads of argon2"),

	NUMBER("progress-frequency", 0, progress_frequency, UNLOCKS, 1, INT32_MAX, "SECONDS",
	       "print a line of progress that often"),
	FLAG("progress-json", 0, progress_json, UNLOCKS, "print progress as JSON"),
	FLAG("json", 0, json, ON(VERB_STATUS), "print the status as JSON"),
	FLAG("batch-mode", 'q', batch_mode, UNLOCKS, "ask nothing but passphrases"),
	FLAG("verbose", 'v', verbose, ALL, "say more"),
	FLAG("debug", 0, debug, ALL, "say everything"),

	REFUSED("encrypt", 0, KIND_REFUSED_FLAG, NO_ENCRYPT),
	REFUSED("new", 'N', KIND_REFUSED_FLAG, NO_ENCRYPT),
	REFUSED("decrypt", 0, KIND_REFUSED_FLAG, NO_DECRYPT),
	REFUSED("reduce-device-size", 0, KIND_REFUSED_VALUE, NO_SHIFT),
	{0},
};

_Static_assert(ARRAY_SIZE(option_specs) <= OPTIONS_MAX + 1, "more options than OPTIONS_MAX");

const struct verb_spec verb_specs[] = {
	{"reencrypt", VERB_REENCRYPT, "change volume key, cipher or sector size; or go on with it"},
	{"recover", VERB_RECOVER,
	 "bring a volume that a crash left hot to a clean state, and stop"},
	{"cancel", VERB_CANCEL, "turn a re-encryption around: back to the old key"},
	{"status", VERB_STATUS, "say where the re-encryption of a volume stands"},
	{"help", VERB_HELP, "print this"},
	{"--help", VERB_HELP, NULL},
	{"-?", VERB_HELP, NULL},
	{"--version", VERB_VERSION, NULL},
	{"-V", VERB_VERSION, NULL},
	{0},
};

static void print_option(const struct option_spec *s)
{
	char names[64];

	if (s->kind == KIND_REFUSED_FLAG || s->kind == KIND_REFUSED_VALUE)
		return;
	(void)snprintf(names, sizeof(names), "--%s%s%s", s->name, s->value ? " " : "",
		       s->value ? s->value : "");
	if (s->letter)
		printf("  -%c, %-30s %s\n", s->letter, names, s->help);
	else
		printf("      %-30s %s\n", names, s->help);
}

int options_print_help(const char *program)
{
	printf("Usage: %s VERB [OPTIONS] DEVICE\n\n", program);
	for (const struct verb_spec *v = verb_specs; v->name; v++)
		if (v->help)
			printf("  %-12s %s\n", v->name, v->help);
	printf("\nOptions (as of cryptsetup-reencrypt(8); SIZE takes S, K, M, G, T, KiB, KB, "
	       "...):\n");
	for (const struct option_spec *s = option_specs; s->name; s++)
		print_option(s);
	printf("\nSee recryptctl(8).\n");
	/* What fitted into no buffer was written, or lost, before. */
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : -EIO;
}
