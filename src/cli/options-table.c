/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/options-table.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "model/rotation-check.h"
#include "util/checked.h"

/*
 * The verbs that convert data, those that need keys, all that know a volume, those with a look at
 * the outcome, and those that may talk to a daemon.
 */
#define BEGINS   ON(VERB_REENCRYPT)
#define CONVERTS (BEGINS | ON(VERB_CANCEL))
#define UNLOCKS  (CONVERTS | ON(VERB_RECOVER))
#define ALL      (UNLOCKS | ON(VERB_STATUS) | DAEMON)
#define TABLES   (ON(VERB_LIST) | ON(VERB_MONITOR))
#define TELLS                                                                                      \
	(ON(VERB_STATUS) | ON(VERB_LIST) | ON(VERB_KEYS) | ON(VERB_HISTORY) | ON(VERB_CHECK) |     \
	 ON(VERB_MONITOR) | ON(VERB_RATE) | ON(VERB_CONFIG))
/* Those that need not wait for the work, but may. */
#define WAITS (ON(VERB_ROTATE) | ON(VERB_RESUME) | ON(VERB_CANCEL))
#define TALKS (DAEMON | ON(VERB_STATUS) | ON(VERB_CANCEL))

#define AT(field) offsetof(struct options, field), sizeof(((struct options *)NULL)->field)
#define FLAG(name, letter, field, verbs, help)                                                     \
	{                                                                                          \
		name, letter, KIND_FLAG, AT(field), verbs, 0, 0, NULL, help                        \
	}
#define TEXT(name, letter, field, verbs, value, help)                                              \
	{                                                                                          \
		name, letter, KIND_STRING, AT(field), verbs, 0, 0, value, help                     \
	}
#define BUFFER(name, letter, field, verbs, value, help)                                            \
	{                                                                                          \
		name, letter, KIND_BUFFER, AT(field), verbs, 0, 0, value, help                     \
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
		name, letter, kind, 0, 0, BEGINS, 0, 0, NULL, reason                               \
	}
/* Of a line of RUN_SWITCHES. */
#define SWITCH(field, name, option, verbs, help, ...)                                              \
	FLAG(option, 0, run.field, SWITCH_OF_##verbs, help),
#define SWITCH_OF_CONVERSION             (CONVERTS | PLANS | ON(VERB_RESUME))
#define SWITCH_OF_CONVERSION_OR_RECOVERY (SWITCH_OF_CONVERSION | ON(VERB_RECOVER))

#define IGNORED(name, letter, kind, reason)                                                        \
	{                                                                                          \
		name, letter, kind, 0, 0, BEGINS, 0, 0, NULL, reason                               \
	}
/* Somebody may rely on what this would have done: it is said without --verbose, too. */
#define IGNORED_ALOUD(name, letter, kind, reason)                                                  \
	{                                                                                          \
		name, letter, kind, 0, 0, BEGINS, 1, 0, NULL, reason                               \
	}

#define NO_ENCRYPT                                                                                 \
	"turning plain data into a LUKS volume is not supported yet; use: cryptsetup reencrypt "   \
	"--encrypt"
#define NO_DECRYPT                                                                                 \
	"turning a LUKS volume into plain data is not supported yet; use: cryptsetup reencrypt "   \
	"--decrypt"
#define OF_ENCRYPT                                                                                 \
	"it is for new LUKS headers, which only encryption makes (cryptsetup reencrypt "           \
	"--encrypt); "
#define SAME_HEADER "a re-encryption keeps the header and its size; leave it out"
#define OF_LUKS1    "it is for LUKS1, and this volume is LUKS2"

const struct option_spec option_specs[] = {
	TEXT("header", 0, target.header, UNLOCKS | ON(VERB_STATUS) | ON(VERB_ADD), "FILE",
	     "device or file with the detached header"),
	TEXT("active-name", 0, target.active_name, UNLOCKS | ON(VERB_STATUS) | ON(VERB_ADD), "NAME",
	     "the open volume, by its mapping's name"),
	TEXT("type", 'M', target.type, UNLOCKS, "TYPE", "of the header that is expected: luks2"),
	TEXT("uuid", 0, target.uuid, BEGINS, "UUID", "refuse a volume that has another UUID"),
	FLAG("foreground", 0, foreground, UNLOCKS | ON(VERB_STATUS), "here, without the daemon"),

	TEXT("key-file", 'd', keys.key_file, UNLOCKS | ON(VERB_UNLOCK), "FILE",
	     "read the passphrase from a file (- is all of standard input)"),
	OTHER("keyfile-offset", 0, KIND_U64, keys.keyfile_offset, UNLOCKS | ON(VERB_UNLOCK),
	      "BYTES", "where it starts in the key file"),
	OTHER("keyfile-size", 'l', KIND_U64, keys.keyfile_size, UNLOCKS | ON(VERB_UNLOCK), "BYTES",
	      "how much of the key file it is"),
	OTHER("key-slot", 'S', KIND_KEYSLOT, rotation.keyslot, UNLOCKS | PLANS | ON(VERB_UNLOCK),
	      "INT", "open this keyslot; reencrypt: all others are lost"),
	OTHER("token-id", 0, KIND_TOKEN, keys.token_id, UNLOCKS, "INT",
	      "keyslots of this token; reencrypt: all others are lost"),
	TEXT("token-type", 0, keys.token_type, UNLOCKS, "TYPE",
	     "keyslots of tokens of this type; reencrypt: all others are lost"),
	FLAG("token-only", 0, keys.token_only, UNLOCKS,
	     "ask for no passphrase; reencrypt: keyslots without a token are lost"),
	TEXT("key-description", 0, keys.key_description, UNLOCKS | ON(VERB_UNLOCK), "NAME",
	     "the passphrase is this user key of a kernel keyring"),
	TEXT("volume-key-file", 0, keys.volume_key_file, UNLOCKS | ON(VERB_UNLOCK), "FILE",
	     "the current volume key, instead of a passphrase for it"),
	TEXT("master-key-file", 0, keys.volume_key_file, UNLOCKS | ON(VERB_UNLOCK), "FILE", NULL),
	TEXT("volume-key-keyring", 0, keys.volume_key_keyring, UNLOCKS | ON(VERB_UNLOCK), "KEY",
	     "the current volume key, from a kernel keyring: [%TYPE:]NAME or a number"),
	TEXT("new-volume-key-file", 0, keys.new_volume_key_file, UNLOCKS, "FILE",
	     "the new volume key, instead of a random one"),
	TEXT("new-volume-key-keyring", 0, keys.new_volume_key_keyring, UNLOCKS, "KEY",
	     "the new volume key, from a kernel keyring"),
	FLAG("force-no-keyslots", 0, keys.no_keyslots, BEGINS,
	     "make no keyslot for the new volume key (dangerous)"),
	NUMBER("tries", 'T', keys.tries, UNLOCKS | ON(VERB_UNLOCK), 1, 1000, "INT",
	       "attempts at a passphrase (3)"),
	NUMBER("timeout", 't', keys.timeout, UNLOCKS | ON(VERB_UNLOCK) | WAITS | ON(VERB_WAIT), 0,
	       INT32_MAX / 1000, "SECONDS",
	       "how long to wait for a passphrase at the terminal, or for the end of the work"),

	NUMBER("key-timeout", 0, derive.timeout, UNLOCKS, 0, INT32_MAX / 1000, "SECONDS",
	       "how long deriving the key of one keyslot may take (60)"),
	OTHER("key-memory-max", 0, KIND_SIZE, derive.memory_max, UNLOCKS, "SIZE",
	      "the most memory that the header may claim for it"),
	NUMBER("key-cost-max", 0, derive.cost_max, UNLOCKS, OPTION_KEY_COST_MIN, UINT32_MAX,
	       "STEPS", "the most work that the header may claim for it (250000000)"),

	BUFFER("cipher", 'c', rotation.cipher, BEGINS | PLANS, "SPEC",
	       "new cipher, such as aes-xts-plain64"),
	{"key-size", 's', KIND_BITS, AT(rotation.key_size), BEGINS | PLANS, 8, 4096, "BITS",
	 "size of the new volume key"},
	{"new-key-size", 0, KIND_BITS, AT(keys.new_key_size), BEGINS, 8, 4096, "BITS",
	 "the same; --key-size beside it is the current size"},
	NUMBER("sector-size", 0, rotation.sector_size, BEGINS | PLANS, 512, 4096, "BYTES",
	       "new encryption sector size"),
	FLAG("keep-key", 0, rotation.keep_key, BEGINS | PLANS,
	     "keep the volume key, change only cipher or sector size"),

	OTHER("resilience", 0, KIND_RESILIENCE, rotation.resilience, CONVERTS | PLANS, "MODE",
	      "how a crash is survived: checksum or journal"),
	BUFFER("resilience-hash", 0, rotation.hash, CONVERTS | PLANS, "HASH",
	       "hash of checksum (sha256)"),
	OTHER("hotzone-size", 0, KIND_SIZE, pace.hotzone_size, CONVERTS, "SIZE",
	      "the most that is converted in one step"),
	NUMBER("stall-target", 0, pace.stall_target_ms, CONVERTS, 0, 3600000, "MS",
	       "how long I/O to a volume in use may wait for one step (50)"),
	OTHER("rate", 0, KIND_RATE, pace.rate, CONVERTS, "RATE",
	      "the most that is converted in a second, such as 20M"),
	TEXT("governor", 0, pace.governor, CONVERTS, "MODE",
	     "make way for applications on the open volume: none, idle or latency"),
	OTHER("rate-min", 0, KIND_RATE, pace.rate_min, CONVERTS, "RATE",
	      "what the governor always allows (1M)"),
	OTHER("rate-max", 0, KIND_RATE, pace.rate_max, CONVERTS, "RATE",
	      "the most that the governor allows"),
	NUMBER("latency-target", 0, pace.latency_target_ms, CONVERTS, 1, 3600000, "MS",
	       "how long requests may take before --governor latency slows down (10)"),
	RUN_SWITCHES(SWITCH) /* of model/rotation.h */
	NUMBER("threads", 0, pace.threads, CONVERTS, 1, OPTION_THREADS_MAX, "INT",
	       "threads for ciphers and checksums (one for each CPU)"),
	OTHER("device-size", 0, KIND_SIZE, target.device_size, CONVERTS, "SIZE",
	      "re-encrypt only that much from the start of the data"),
	FLAG("init-only", 0, init_only, BEGINS, "write the start to the header, convert nothing"),
	FLAG("resume-only", 0, resume_only, BEGINS, "go on with what was begun, never begin"),
	FLAG("force-offline-reencrypt", 0, rotation.force_offline, UNLOCKS | PLANS,
	     "trust that the volume is not in use (dangerous)"),
	FLAG("allow-shared-files", 0, target.allow_shared, UNLOCKS,
	     "use image and header files that other users can change or replace (dangerous)"),
	FLAG("ignore-own-header", 0, target.ignore_own_header, UNLOCKS,
	     "use --header for a device with a header of its own (dangerous)"),
	FLAG("trust-position", 0, trust_position, CONVERTS,
	     "cryptsetup --resilience none stopped by itself; was it killed, data is lost "
	     "(dangerous)"),

	BUFFER("pbkdf", 0, rotation.pbkdf, BEGINS | PLANS, "TYPE",
	       "of new keyslots: argon2id, argon2i, pbkdf2"),
	BUFFER("hash", 'h', rotation.pbkdf_hash, BEGINS | PLANS, "HASH", "hash of pbkdf2"),
	NUMBER("iter-time", 'i', rotation.pbkdf_time_ms, BEGINS | PLANS, 1, UINT32_MAX, "MS",
	       "time that opening a new keyslot should take"),
	NUMBER("pbkdf-force-iterations", 0, rotation.pbkdf_iterations, BEGINS | PLANS, 4,
	       UINT32_MAX, "INT", "iterations, without a benchmark"),
	NUMBER("pbkdf-memory", 0, rotation.pbkdf_memory_kib, BEGINS | PLANS, 32, 4194304,
	       "KILOBYTES", "memory of argon2"),
	NUMBER("pbkdf-parallel", 0, rotation.pbkdf_parallel, BEGINS | PLANS, 1, 4, "THREADS",
	       "threads of argon2"),

	NUMBER("progress-frequency", 0, output.progress_frequency, UNLOCKS, 1, INT32_MAX, "SECONDS",
	       "print a line of progress that often"),
	FLAG("progress-json", 0, output.progress_json, UNLOCKS, "print progress as JSON"),
	OTHER("json", 0, KIND_JSON, output.json, TELLS, "[=short|=pretty]", "print JSON"),
	TEXT("columns", 'o', output.columns, TABLES, "NAME,...", "of the table, in this order"),
	FLAG("no-legend", 0, output.no_legend, TABLES, "no heads of columns, no summary"),
	FLAG("batch-mode", 'q', batch_mode, UNLOCKS, "ask nothing but passphrases"),
	FLAG("verbose", 'v', output.verbose, ALL, "say more"),
	FLAG("debug", 0, output.debug, ALL, "say everything"),
	FLAG("debug-json", 0, output.debug, ALL, NULL),

	TEXT("remote", 'H', daemon.remote, TALKS, "USER@HOST",
	     "talk to the daemon of another host, over ssh"),
	FLAG("no-ask-password", 0, daemon.no_ask_password, TALKS | UNLOCKS,
	     "do not let polkit ask for one"),
	FLAG("all", 0, daemon.all, MANY, "all known volumes"),
	TEXT("group", 0, daemon.group, MANY, "NAME",
	     "the volumes of this group of the configuration"),
	TEXT("reason", 0, daemon.reason, ON(VERB_SUSPEND), "TEXT", "why, for others to read"),
	FLAG("queue", 0, rotation.queue, PLANS, "where a rotation runs, begin this one after it"),
	FLAG("lose-keyslots", 0, rotation.lose_keyslots, PLANS,
	     "agree to lose keyslots whose passphrase is not at hand"),
	OTHER("wait", 0, KIND_WAIT, daemon.wait, WAITS | ON(VERB_WAIT) | ON(VERB_REENCRYPT),
	      "[=done|=attention]", "until it is done; attention: or needs a person"),
	TEXT("deadline", 0, daemon.deadline, ON(VERB_ROTATE), "TIME",
	     "when it is to be done: 12h, 3d, \"2026-12-01 06:00\""),
	FLAG("force", 0, daemon.force, ON(VERB_REMOVE),
	     "also a volume that is half converted, or in the configuration"),
	FLAG("now", 0, daemon.now, ON(VERB_RESUME), "wait for no window, until the next one ends"),
	FLAG("host", 0, daemon.host, ON(VERB_RATE), "the rate of all volumes of the host together"),

	REFUSED("encrypt", 0, KIND_REFUSED_FLAG, NO_ENCRYPT),
	REFUSED("new", 'N', KIND_REFUSED_FLAG, NO_ENCRYPT),
	REFUSED("decrypt", 0, KIND_REFUSED_FLAG, NO_DECRYPT),
	REFUSED("reduce-device-size", 0, KIND_REFUSED_VALUE, NO_SHIFT),
	REFUSED("align-payload", 0, KIND_REFUSED_VALUE, OF_ENCRYPT SAME_HEADER),
	REFUSED("offset", 'o', KIND_REFUSED_VALUE, OF_ENCRYPT SAME_HEADER),
	REFUSED("luks2-metadata-size", 0, KIND_REFUSED_VALUE, OF_ENCRYPT SAME_HEADER),
	REFUSED("luks2-keyslots-size", 0, KIND_REFUSED_VALUE, OF_ENCRYPT SAME_HEADER),
	REFUSED("integrity", 'I', KIND_REFUSED_VALUE,
		"a re-encryption cannot add integrity protection; make a new volume with: "
		"cryptsetup luksFormat --integrity"),
	REFUSED("integrity-no-wipe", 0, KIND_REFUSED_FLAG,
		"a re-encryption cannot add integrity protection; make a new volume with: "
		"cryptsetup luksFormat --integrity"),
	REFUSED("label", 0, KIND_REFUSED_VALUE,
		"a re-encryption keeps the label; change it with: cryptsetup config --label"),
	REFUSED("subsystem", 0, KIND_REFUSED_VALUE,
		"a re-encryption keeps the subsystem label; change it with: cryptsetup config "
		"--subsystem"),
	REFUSED("keyslot-cipher", 0, KIND_REFUSED_VALUE,
		"a new keyslot has the encryption of the old one; change it afterwards with: "
		"cryptsetup luksConvertKey --keyslot-cipher"),
	REFUSED("keyslot-key-size", 0, KIND_REFUSED_VALUE,
		"a new keyslot has the encryption of the old one; change it afterwards with: "
		"cryptsetup luksConvertKey --keyslot-key-size"),
	REFUSED("disable-external-tokens", 0, KIND_REFUSED_FLAG,
		"plugins of tokens would be used all the same; to name the keyslots to be opened "
		"give --key-slot"),

	IGNORED_ALOUD("disable-locks", 0, KIND_IGNORED_FLAG,
		      "the locks are taken all the same, since without them another program could "
		      "work on the volume at the same time"),
	IGNORED_ALOUD("disable-blkid", 0, KIND_IGNORED_FLAG,
		      "what lies on the volume is looked at all the same before sectors become "
		      "larger; --force-offline-reencrypt does without on a closed volume"),
	IGNORED("disable-keyring", 0, KIND_IGNORED_FLAG,
		"the mapping of an open volume has the new key where it has the old one, in the "
		"kernel keyring or in its table"),
	IGNORED("force-password", 0, KIND_IGNORED_FLAG,
		"the quality of passphrases is never checked"),
	IGNORED("verify-passphrase", 'y', KIND_IGNORED_FLAG,
		"a passphrase that opens a keyslot is right, and a new one is always asked twice"),
	IGNORED("use-random", 0, KIND_IGNORED_FLAG,
		"the kernel has one random number generator, which is always used"),
	IGNORED("use-urandom", 0, KIND_IGNORED_FLAG,
		"the kernel has one random number generator, which is always used"),
	IGNORED("use-directio", 0, KIND_IGNORED_FLAG, OF_LUKS1 "; all I/O is direct"),
	IGNORED("use-fsync", 0, KIND_IGNORED_FLAG, OF_LUKS1 "; all that is written is flushed"),
	IGNORED("write-log", 0, KIND_IGNORED_FLAG, OF_LUKS1 "; the header has the position"),
	IGNORED("block-size", 'B', KIND_IGNORED_VALUE,
		OF_LUKS1 "; the size of a step is --hotzone-size"),
	{0},
};

_Static_assert(ARRAY_SIZE(option_specs) <= OPTIONS_MAX + 1, "more options than OPTIONS_MAX");

#define NO_LIMIT UINT_MAX

const struct verb_spec verb_specs[] = {
	{"reencrypt", VERB_REENCRYPT, 1, "DEVICE",
	 "change volume key, cipher or sector size, or continue that", "/dev/vg0/home"},
	{"recover", VERB_RECOVER, 1, "DEVICE",
	 "bring a volume that a crash left hot to a clean state, and stop", "/dev/vg0/home"},
	{"cancel", VERB_CANCEL, 1, "VOLUME", "turn a re-encryption around: back to the old key",
	 "--wait home"},
	{"status", VERB_STATUS, 1, "[VOLUME]", "say where the re-encryption of a volume stands",
	 "home"},
	{"list", VERB_LIST, 0, "", "the volumes that the daemon knows", "--json=short"},
	{"rotate", VERB_ROTATE, NO_LIMIT, "VOLUME...", "have the daemon change key or cipher",
	 "--deadline 3d home"},
	{"suspend", VERB_SUSPEND, NO_LIMIT, "VOLUME...", "stop work until resume, across reboots",
	 "--reason \"month's end\" home"},
	{"resume", VERB_RESUME, NO_LIMIT, "VOLUME...", "continue after suspend or a failure",
	 "--all"},
	{"rate", VERB_RATE, 2, "VOLUME|--host [RATE]",
	 "show or set the limit: 2.5M, 0 is none, default", "home 20M"},
	{"unlock", VERB_UNLOCK, 1, "VOLUME", "give the daemon a passphrase or key",
	 "--key-slot 1 home"},
	{"lock", VERB_LOCK, 1, "VOLUME", "have the daemon forget the keys", "home"},
	{"accept", VERB_ACCEPT, 1, "VOLUME", "trust the state token or header that is found",
	 "home"},
	{"keys", VERB_KEYS, 1, "VOLUME", "the volume keys with their generations and times",
	 "home"},
	{"config", VERB_CONFIG, 1, "[VOLUME]", "which settings hold, and which lines say so",
	 "home"},
	{"history", VERB_HISTORY, 1, "[VOLUME]", "the rotations that have ended on this host",
	 "home"},
	{"check", VERB_CHECK, 1, "VOLUME", "what rotate would do, and what stands in its way",
	 "--sector-size 4096 home"},
	{"monitor", VERB_MONITOR, 0, "", "a live view of all volumes", ""},
	{"wait", VERB_WAIT, NO_LIMIT, "[VOLUME...]", "wait until nothing is re-encrypted any more",
	 "--wait=attention --timeout 3600 home"},
	{"add", VERB_ADD, 1, "DEVICE", "make a volume known to the daemon",
	 "/dev/disk/by-id/virtio-data"},
	{"remove", VERB_REMOVE, 1, "VOLUME", "have the daemon forget a volume", "home"},
	{"help", VERB_HELP, 1, "[VERB]", "print this, or the options of a verb", "rotate"},
	{"complete", VERB_COMPLETE, NO_LIMIT, "N WORD...", NULL, NULL},
	{"--help", VERB_HELP, 1, NULL, NULL, NULL},
	{"-?", VERB_HELP, 1, NULL, NULL, NULL},
	{"--version", VERB_VERSION, 0, NULL, NULL, NULL},
	{"-V", VERB_VERSION, 0, NULL, NULL, NULL},
	{0},
};

/* What completion offers; each of them is accepted. */
const struct value_spec value_specs[] = {
	{"resilience", "checksum journal"},
	{"resilience-hash", "sha256 sha512"},
	{"governor", "none idle latency"},
	{"pbkdf", "argon2id argon2i pbkdf2"},
	{"hash", "sha256 sha512"},
	{"type", "luks2"},
	{"sector-size", "512 1024 2048 4096"},
	{"key-size", "256 512"},
	{"new-key-size", "256 512"},
	{"cipher", "aes-xts-plain64 serpent-xts-plain64 twofish-xts-plain64 "
		   "xchacha12,aes-adiantum-plain64"},
	{"json", "short pretty off"},
	{"wait", "done attention"},
	{"deadline", "12h 1d 3d 7d"},
	{"columns", "NAME,STATE NAME,STATE,REASON NAME,UUID,GROUP,DEVICE"},
	{0},
};

const struct verb_spec *verb_find(const char *name)
{
	for (const struct verb_spec *v = verb_specs; v->name; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

const struct option_spec *option_find(const char *name)
{
	for (const struct option_spec *s = option_specs; s->name; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

bool option_is_ignored(const struct option_spec *s)
{
	return s->kind == KIND_IGNORED_FLAG || s->kind == KIND_IGNORED_VALUE;
}

bool option_is_listed(const struct option_spec *s, enum verb verb)
{
	return s->help && s->verbs & ON(verb) && !option_is_ignored(s) &&
	       s->kind != KIND_REFUSED_FLAG && s->kind != KIND_REFUSED_VALUE;
}
