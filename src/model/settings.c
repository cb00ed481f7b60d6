/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/settings.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/run-switches.h"

#include "util/checked.h"

#define CALLER SETTING_OF_CALLER
#define WORKER SETTING_OF_WORKER
#define BOTH   (CALLER | WORKER)

/* Rows, by the struct that they are of. */
#define ROW(of, n, k, field, p, j, o)                                                              \
	{                                                                                          \
		.name = n, .kind = k, .where = offsetof(struct of, field),                         \
		.size = sizeof(((struct of *)NULL)->field), .places = p, .json = j, .option = o    \
	}
#define BUFFER(name, field, json, option)                                                          \
	ROW(rotate_options, name, SETTING_BUFFER, field, BOTH, json, option)
#define VALUE(name, kind, field, places, json, option)                                             \
	ROW(rotate_options, name, kind, field, places, json, option)

/* In the order of the record, which stays as it is from version to version. */
const struct setting rotation_settings[] = {
	BUFFER("Cipher", cipher, "cipher", "cipher"),
	BUFFER("Resilience", resilience, "resilience", "resilience"),
	BUFFER("ResilienceHash", hash, "hash", "resilience-hash"),
	BUFFER("Pbkdf", pbkdf, "pbkdf", "pbkdf"),
	BUFFER("PbkdfHash", pbkdf_hash, "pbkdf_hash", "hash"),
	VALUE("KeySize", SETTING_U32, key_size, BOTH, "key_size", "key-size"),
	VALUE("SectorSize", SETTING_U32, sector_size, BOTH, "sector_size", "sector-size"),
	VALUE("KeepKey", SETTING_BOOL, keep_key, BOTH, "keep_key", "keep-key"),
	VALUE("LoseKeyslots", SETTING_BOOL, lose_keyslots, BOTH, "lose_keyslots", "lose-keyslots"),
	VALUE("ForceOffline", SETTING_BOOL, force_offline, BOTH, "force_offline",
	      "force-offline-reencrypt"),
	VALUE("Queue", SETTING_BOOL, queue, CALLER, "queue", "queue"),
	/* No caller says so of himself. */
	VALUE("MayWeaken", SETTING_BOOL, may_weaken, WORKER, "may_weaken", NULL),
	VALUE("Keyslot", SETTING_INT, keyslot, BOTH, "keyslot", "key-slot"),
	VALUE("PbkdfTime", SETTING_U32, pbkdf_time_ms, BOTH, "pbkdf_time_ms", "iter-time"),
	VALUE("PbkdfIterations", SETTING_U32, pbkdf_iterations, BOTH, "pbkdf_iterations",
	      "pbkdf-force-iterations"),
	VALUE("PbkdfMemory", SETTING_U32, pbkdf_memory_kib, BOTH, "pbkdf_memory_kib",
	      "pbkdf-memory"),
	VALUE("PbkdfParallel", SETTING_U32, pbkdf_parallel, BOTH, "pbkdf_parallel",
	      "pbkdf-parallel"),
	VALUE("Deadline", SETTING_U64, deadline_usec, CALLER, "deadline", "deadline"),
	{},
};

#define CHOICE(field, name, option, ...)                                                           \
	ROW(run_choices, name, SETTING_CHOICE, field, CALLER, #field, option),

const struct setting choice_settings[] = {
	RUN_SWITCHES(CHOICE){},
};

#define RUN(name, kind, field, places) ROW(run_options, name, kind, field, places, NULL, NULL)
#define ALL_RUNS                       (WORKER | SETTING_OF_RUN)
#define SWITCH(field, name, ...)       RUN(name, SETTING_BOOL, field, ALL_RUNS | SETTING_OF_STATUS),

const struct setting run_settings[] = {
	RUN("LeastSequence", SETTING_U64, least_sequence, ALL_RUNS),
	RUN("Side", SETTING_BUFFER, side, WORKER),
	RUN_SWITCHES(SWITCH){},
};

const struct setting resume_settings[] = {
	ROW(resume_options, "Now", SETTING_BOOL, now, CALLER, NULL, "now"),
	{},
};

static bool is_equal(const struct setting *s, const char *a, const char *b)
{
	switch (s->kind) {
	case SETTING_BUFFER:
		return strcmp(a, b) == 0;
	case SETTING_U32:
	case SETTING_INT:
		return *(const uint32_t *)a == *(const uint32_t *)b;
	case SETTING_U64:
		return *(const uint64_t *)a == *(const uint64_t *)b;
	case SETTING_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case SETTING_TEXT:
	case SETTING_OWNED:
	case SETTING_BYTES:
	case SETTING_PATH:
	case SETTING_CHOICE:
	case SETTING_NAME:
	case SETTING_BITS:
	case SETTING_TEXTS:
	case SETTING_LIST:
	default:
		assert(false); /* no row of a rotation is of this kind */
		return false;
	}
}

bool rotate_options_equal(const struct rotate_options *a, const struct rotate_options *b)
{
	for (const struct setting *s = rotation_settings; s->name; s++)
		if (!is_equal(s, (const char *)a + s->where, (const char *)b + s->where))
			return false;
	return run_choices_equal(&a->run, &b->run);
}

const char *const foreground_verb_names[FOREGROUND_VERB_COUNT] = {
	[FOREGROUND_REENCRYPT] = "reencrypt",
	[FOREGROUND_RECOVER] = "recover",
	[FOREGROUND_CANCEL] = "cancel",
};

#define FOREGROUND(name, kind, field, option)                                                      \
	ROW(foreground_options, name, kind, field, 0, NULL, option)

const struct setting foreground_settings[] = {
	{.name = "Verb",
	 .kind = SETTING_NAME,
	 .where = offsetof(struct foreground_options, verb),
	 .size = ARRAY_SIZE(foreground_verb_names),
	 .names = foreground_verb_names},
	FOREGROUND("InitOnly", SETTING_BOOL, init_only, "init-only"),
	FOREGROUND("ResumeOnly", SETTING_BOOL, resume_only, "resume-only"),
	FOREGROUND("BatchMode", SETTING_BOOL, batch_mode, "batch-mode"),
	FOREGROUND("TrustPosition", SETTING_BOOL, trust_position, "trust-position"),
	FOREGROUND("NoKeyslots", SETTING_BOOL, no_keyslots, "force-no-keyslots"),
	FOREGROUND("IgnoreOwnHeader", SETTING_BOOL, ignore_own_header, "ignore-own-header"),
	FOREGROUND("UUID", SETTING_OWNED, uuid, "uuid"),
	FOREGROUND("HotzoneSize", SETTING_U64, hotzone_size, "hotzone-size"),
	FOREGROUND("OldKeySize", SETTING_U32, old_key_size, NULL),
	FOREGROUND("BothKeySizes", SETTING_BOOL, both_key_sizes, NULL),
	FOREGROUND("TokenId", SETTING_INT, token_id, "token-id"),
	FOREGROUND("TokenType", SETTING_OWNED, token_type, "token-type"),
	FOREGROUND("TokenOnly", SETTING_BOOL, token_only, "token-only"),
	FOREGROUND("TryTokens", SETTING_BOOL, try_tokens, NULL),
	FOREGROUND("Tries", SETTING_U32, tries, "tries"),
	FOREGROUND("EmptyGivesUp", SETTING_BOOL, empty_gives_up, NULL),
	{},
};

void settings_free_list(char **list)
{
	for (char **text = list; text && *text; text++)
		free(*text);
	free(list);
}

void settings_clear(const struct setting *rows, void *values)
{
	for (const struct setting *s = rows; s->name; s++) {
		void *where = (char *)values + s->where;

		if (s->kind == SETTING_LIST) {
			settings_free_list(*(char ***)where);
			*(char ***)where = NULL;
		} else if (s->kind == SETTING_OWNED || s->kind == SETTING_BYTES ||
			   s->kind == SETTING_PATH) {
			free(*(char **)where);
			*(char **)where = NULL;
		}
	}
}
