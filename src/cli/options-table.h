/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One table says everything about an option: its names, where its value goes, what values it takes,
 * which verbs know it, and its line of help. What we refuse, and what we accept because it changes
 * nothing here, stands in the same table, with the reason.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/options.h"

enum option_kind {
	KIND_FLAG,
	KIND_STRING, /* const char *, into argv */
	KIND_BUFFER, /* char[] of the model, a copy */
	KIND_U32,    /* a number between min and max */
	KIND_U64,    /* bytes without a unit */
	KIND_SIZE,   /* size[unit], a multiple of 512 bytes */
	KIND_RATE,   /* size[unit] per second, 64K at least */
	KIND_BITS,   /* bits, kept as bytes */
	KIND_KEYSLOT,
	KIND_TOKEN,
	KIND_RESILIENCE,
	KIND_JSON, /* the value may be left out, as that of the next */
	KIND_WAIT,
	KIND_REFUSED_FLAG, /* help is the reason */
	KIND_REFUSED_VALUE,
	KIND_IGNORED_FLAG, /* help is the reason why it changes nothing */
	KIND_IGNORED_VALUE,
};

#define ON(verb) (1U << (verb))

/* Those that the daemon does: alone, for many volumes, planning. */
#define DAEMON                                                                                     \
	(MANY | PLANS | ON(VERB_LIST) | ON(VERB_RATE) | ON(VERB_UNLOCK) | ON(VERB_LOCK) |          \
	 ON(VERB_ACCEPT) | ON(VERB_KEYS) | ON(VERB_HISTORY) | ON(VERB_MONITOR) | ON(VERB_WAIT) |   \
	 ON(VERB_ADD) | ON(VERB_REMOVE) | ON(VERB_CONFIG))
#define MANY  (ON(VERB_ROTATE) | ON(VERB_SUSPEND) | ON(VERB_RESUME))
#define PLANS (ON(VERB_ROTATE) | ON(VERB_CHECK))

struct option_spec {
	const char *name;
	char letter; /* 0: none */
	enum option_kind kind;
	size_t where, size; /* in struct options; the size of a buffer */
	unsigned verbs;
	uint32_t min, max; /* of KIND_U32 and KIND_BITS; of KIND_IGNORED_*: min 1 is always told */
	const char *value, *help; /* help NULL: another name of an option, not listed */
};

struct verb_spec {
	const char *name;
	enum verb verb;
	unsigned max;                /* operands */
	const char *operands, *help; /* help NULL: not listed */
	const char *example;         /* operands and options after the verb; NULL: none */
};

/* Several words between spaces that an option may have as its value. */
struct value_spec {
	const char *option, *values;
};

#define OPTIONS_MAX 128 /* the most that the table may have */

/* All end with an entry that has no name. */
extern const struct option_spec option_specs[];
extern const struct verb_spec verb_specs[];
extern const struct value_spec value_specs[];

const struct verb_spec *verb_find(const char *name);
const struct option_spec *option_find(const char *name);

/* Is @s listed in the help, as something that can be given to @verb? */
bool option_is_listed(const struct option_spec *s, enum verb verb);
bool option_is_ignored(const struct option_spec *s);

/* As getopt_long() wants it: no_argument, optional_argument, required_argument. */
int option_takes_value(const struct option_spec *s);

/*
 * Puts @value, NULL only where @s takes none or need not have one, where @s says. Logs what is
 * wrong: -EINVAL, -ENOTSUP.
 */
int option_set(const struct option_spec *s, const char *value, struct options *o);
