/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One table says everything about an option: its names, where its value goes, what values it takes,
 * which verbs know it, and its line of help. What we refuse stands in the same table, with the
 * reason. Rules between options are in check_combinations().
 */
#include "worker/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/checked.h"
#include "util/log.h"

enum kind {
	KIND_FLAG,
	KIND_STRING,
	KIND_U32,  /* a number between min and max */
	KIND_U64,  /* bytes without a unit */
	KIND_SIZE, /* size[unit], a multiple of 512 bytes */
	KIND_BITS, /* bits, kept as bytes */
	KIND_KEYSLOT,
	KIND_RESILIENCE,
	KIND_REFUSED_FLAG, /* help is the reason */
	KIND_REFUSED_VALUE,
};

#define ON(verb) (1U << (verb))
/* The verbs that convert data, those that need keys, and all that look at a volume. */
#define BEGINS   ON(VERB_REENCRYPT)
#define CONVERTS (BEGINS | ON(VERB_CANCEL))
#define UNLOCKS  (CONVERTS | ON(VERB_RECOVER))
#define ALL      (UNLOCKS | ON(VERB_STATUS))

struct option_spec {
	const char *name;
	char letter; /* 0: none */
	enum kind kind;
	size_t where; /* in struct options */
	unsigned verbs;
	uint32_t min, max; /* of KIND_U32 and KIND_BITS */
	const char *value, *help;
};

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
#define NO_SHIFT   "it moves the data, which only encryption and decryption in place need"

static const struct option_spec specs[] = {
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
};

static const struct verb_spec {
	const char *name;
	enum verb verb;
	const char *help;
} verbs[] = {
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
};

/* getopt_long() returns this plus the index in specs for a long option. */
#define LONG_BASE 0x100

static int parse_u64(const char *text, const char **rest, uint64_t *ret)
{
	unsigned long long v;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno == ERANGE)
		return -EOVERFLOW;
	*rest = end;
	*ret = v;
	return 0;
}

int options_parse_size(const char *text, uint64_t *ret)
{
	static const char letters[] = "KMGT";
	uint64_t value, base, unit = 1;
	const char *suffix, *letter;
	int r;

	r = parse_u64(text, &suffix, &value);
	if (r < 0)
		return r;
	if (*suffix == '\0') {
		*ret = value;
		return 0;
	}
	if (strcasecmp(suffix, "S") == 0)
		return mul_u64(value, SECTOR_SIZE, ret);
	letter = strchr(letters, toupper((unsigned char)*suffix));
	if (!letter)
		return -EINVAL;
	if (suffix[1] == '\0' || strcasecmp(suffix + 1, "iB") == 0)
		base = 1024;
	else if (strcasecmp(suffix + 1, "B") == 0)
		base = 1000;
	else
		return -EINVAL;
	for (const char *l = letters; l <= letter; l++)
		unit *= base;
	return mul_u64(value, unit, ret);
}

static int set_number(const struct option_spec *s, const char *value, void *where)
{
	uint64_t v;
	const char *rest;

	if (parse_u64(value, &rest, &v) < 0 || *rest) {
		log_error("--%s \"%s\" is not a number", s->name, value);
		return -EINVAL;
	}
	if (s->kind == KIND_U64) {
		*(uint64_t *)where = v;
		return 0;
	}
	if (v < s->min || v > s->max) {
		log_error("--%s must be between %" PRIu32 " and %" PRIu32 ", not %s", s->name,
			  s->min, s->max, value);
		return -EINVAL;
	}
	if (s->kind == KIND_BITS && v % 8) {
		log_error("--%s must be a multiple of 8 bits, not %s", s->name, value);
		return -EINVAL;
	}
	*(uint32_t *)where = (uint32_t)(s->kind == KIND_BITS ? v / 8 : v);
	return 0;
}

static int set_size(const struct option_spec *s, const char *value, uint64_t *where)
{
	uint64_t v;

	if (options_parse_size(value, &v) < 0) {
		log_error("--%s \"%s\" is not a size (such as 67108864, 64M, 64MiB or 64MB)",
			  s->name, value);
		return -EINVAL;
	}
	if (v == 0 || !is_aligned(v, SECTOR_SIZE)) {
		log_error("--%s must be a multiple of 512 bytes and not 0, unlike %s", s->name,
			  value);
		return -EINVAL;
	}
	*where = v;
	return 0;
}

static int set_keyslot(const struct option_spec *s, const char *value, int *where)
{
	uint64_t v;
	const char *rest;

	if (parse_u64(value, &rest, &v) < 0 || *rest || v > 31) {
		log_error("--%s must be a keyslot number between 0 and 31, not %s", s->name, value);
		return -EINVAL;
	}
	*where = (int)v;
	return 0;
}

static int set_resilience(const char *value, enum resilience *where)
{
	if (strcmp(value, "checksum") == 0)
		*where = RESILIENCE_CHECKSUM;
	else if (strcmp(value, "journal") == 0)
		*where = RESILIENCE_JOURNAL;
	else if (strcmp(value, "none") == 0) {
		log_error("--resilience none is refused: a kill would corrupt the volume silently");
		return -ENOTSUP;
	} else if (strncmp(value, "datashift", strlen("datashift")) == 0) {
		log_error("--resilience %s is refused: %s", value, NO_SHIFT);
		return -ENOTSUP;
	} else {
		log_error("--resilience must be checksum or journal, not \"%s\"", value);
		return -EINVAL;
	}
	return 0;
}

static int set_option(const struct option_spec *s, const char *value, struct options *o)
{
	void *where = (char *)o + s->where;

	switch (s->kind) {
	case KIND_FLAG:
		*(bool *)where = true;
		return 0;
	case KIND_STRING:
		if (*value == '\0') {
			log_error("--%s must not be empty", s->name);
			return -EINVAL;
		}
		*(const char **)where = value;
		return 0;
	case KIND_U32:
	case KIND_U64:
	case KIND_BITS:
		return set_number(s, value, where);
	case KIND_SIZE:
		return set_size(s, value, where);
	case KIND_KEYSLOT:
		return set_keyslot(s, value, where);
	case KIND_RESILIENCE:
		return set_resilience(value, where);
	case KIND_REFUSED_FLAG:
	case KIND_REFUSED_VALUE:
		log_error("--%s is refused: %s", s->name, s->help);
		return -ENOTSUP;
	}
	return -EINVAL;
}

static bool takes_value(const struct option_spec *s)
{
	return s->kind != KIND_FLAG && s->kind != KIND_REFUSED_FLAG;
}

/* A leading ":" makes getopt_long() tell a missing value from an unknown option. */
static void fill_getopt(struct option *longs, char *shorts)
{
	*shorts++ = ':';
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		longs[i] = (struct option){
			.name = specs[i].name,
			.has_arg = takes_value(&specs[i]) ? required_argument : no_argument,
			.val = LONG_BASE + (int)i,
		};
		if (!specs[i].letter)
			continue;
		*shorts++ = specs[i].letter;
		if (takes_value(&specs[i]))
			*shorts++ = ':';
	}
	longs[ARRAY_SIZE(specs)] = (struct option){0};
	*shorts = '\0';
}

static const struct option_spec *find_spec(int c)
{
	if (c >= LONG_BASE)
		return &specs[c - LONG_BASE];
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
		if (specs[i].letter == c)
			return &specs[i];
	return NULL;
}

/* @argv starts with the verb, which stands where getopt expects the program's name. */
static int parse_verb_options(int argc, char **argv, struct options *o)
{
	struct option longs[ARRAY_SIZE(specs) + 1];
	char shorts[2 * ARRAY_SIZE(specs) + 2];
	int c, r;

	fill_getopt(longs, shorts);
	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_spec *s;

		if (c == ':' || c == '?') {
			log_error("%s \"%s\"; recryptctl --help lists the options",
				  c == ':' ? "a value is missing after"
					   : "unknown or ambiguous option",
				  argv[optind - 1]);
			return -EINVAL;
		}
		s = find_spec(c);
		if (!s)
			return -EINVAL;
		if (!(s->verbs & ON(o->verb))) {
			log_error("--%s makes no sense with %s", s->name, argv[0]);
			return -EINVAL;
		}
		r = set_option(s, optarg, o);
		if (r < 0)
			return r;
	}
	if (argc - optind > 1) {
		log_error("one device only, \"%s\" is too much", argv[optind + 1]);
		return -EINVAL;
	}
	if (optind < argc)
		o->device = argv[optind];
	return 0;
}

static int refuse(const char *why)
{
	log_error("%s", why);
	return -EINVAL;
}

static int check_pbkdf(const struct options *o)
{
	if (o->pbkdf && strcmp(o->pbkdf, "pbkdf2") != 0 && strcmp(o->pbkdf, "argon2i") != 0 &&
	    strcmp(o->pbkdf, "argon2id") != 0)
		return refuse("--pbkdf must be pbkdf2, argon2i or argon2id");
	if (o->pbkdf_iterations && o->iter_time_ms)
		return refuse("--pbkdf-force-iterations and --iter-time exclude each other");
	if (o->pbkdf && strcmp(o->pbkdf, "pbkdf2") == 0) {
		if (o->pbkdf_memory_kib || o->pbkdf_parallel)
			return refuse("pbkdf2 has neither --pbkdf-memory nor --pbkdf-parallel");
		if (o->pbkdf_iterations && o->pbkdf_iterations < 1000)
			return refuse("--pbkdf-force-iterations must be at least 1000 for pbkdf2");
	}
	return 0;
}

static int check_combinations(const struct options *o)
{
	if (!o->device && !o->active_name)
		return refuse("a device (or --active-name) is missing");
	if (o->device && *o->device == '\0')
		return refuse("the device must not be empty");
	if (o->sector_size && !is_power_of_2(o->sector_size)) {
		log_error("--sector-size must be 512, 1024, 2048 or 4096, not %" PRIu32,
			  o->sector_size);
		return -EINVAL;
	}
	if (o->keep_key && o->key_size)
		return refuse("--keep-key keeps the key as it is: --key-size cannot change it");
	if (o->keep_key && o->new_volume_key_file)
		return refuse("--keep-key and --new-volume-key-file exclude each other");
	if (o->init_only && o->resume_only)
		return refuse("--init-only and --resume-only exclude each other");
	if (o->resume_only && (o->cipher || o->key_size || o->sector_size || o->keep_key))
		return refuse("--resume-only goes on with what the header says: cipher, key and "
			      "sector size cannot be given");
	if (o->force_offline && o->active_name)
		return refuse("--force-offline-reencrypt and --active-name exclude each other");
	if (o->key_file && o->volume_key_file && strcmp(o->key_file, "-") == 0 &&
	    strcmp(o->volume_key_file, "-") == 0)
		return refuse("standard input cannot be both --key-file and --volume-key-file");
	return check_pbkdf(o);
}

static bool is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-?") == 0;
}

int options_parse(int argc, char **argv, struct options *ret)
{
	struct options o = {.key_slot = OPTION_ANY_KEYSLOT, .tries = 3};
	const struct verb_spec *v = NULL;
	int r;

	if (argc < 2)
		return refuse("what to do is missing; recryptctl --help lists the verbs");
	for (size_t i = 0; i < ARRAY_SIZE(verbs) && !v; i++)
		if (strcmp(verbs[i].name, argv[1]) == 0)
			v = &verbs[i];
	if (!v) {
		log_error("unknown verb \"%s\"; recryptctl --help lists the verbs", argv[1]);
		return -EINVAL;
	}
	o.verb = v->verb;
	for (int i = 2; i < argc; i++)
		if (is_help(argv[i]))
			o.verb = VERB_HELP;
	if (o.verb != VERB_HELP && o.verb != VERB_VERSION) {
		r = parse_verb_options(argc - 1, argv + 1, &o);
		if (r < 0)
			return r;
		r = check_combinations(&o);
		if (r < 0)
			return r;
	}
	*ret = o;
	return 0;
}

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
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (verbs[i].help)
			printf("  %-12s %s\n", verbs[i].name, verbs[i].help);
	printf("\nOptions (as of cryptsetup-reencrypt(8); SIZE takes S, K, M, G, T, KiB, KB, "
	       "...):\n");
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
		print_option(&specs[i]);
	printf("\nSee recryptctl(8).\n");
	return fflush(stdout) == 0 ? 0 : -EIO;
}
