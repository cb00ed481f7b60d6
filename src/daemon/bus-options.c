/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/bus-options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/bus-internal.h"

#define REASON_MAX 255 /* bytes */

#define AT(field) offsetof(struct rotate_options, field)
#define BUFFER(key, field)                                                                         \
	{                                                                                          \
		key, OPTION_BUFFER, AT(field), sizeof(((struct rotate_options *)NULL)->field)      \
	}
#define VALUE(key, kind, field)                                                                    \
	{                                                                                          \
		key, kind, AT(field), 0                                                            \
	}

static const struct option_key rotate_option_keys[] = {
	BUFFER("Cipher", cipher),
	VALUE("KeySize", OPTION_U32, key_size),
	VALUE("SectorSize", OPTION_U32, sector_size),
	VALUE("KeepKey", OPTION_BOOL, keep_key),
	BUFFER("Resilience", resilience),
	BUFFER("ResilienceHash", hash),
	VALUE("Keyslot", OPTION_INT, keyslot),
	VALUE("LoseKeyslots", OPTION_BOOL, lose_keyslots),
	VALUE("ForceOffline", OPTION_BOOL, force_offline),
	BUFFER("Pbkdf", pbkdf),
	BUFFER("PbkdfHash", pbkdf_hash),
	VALUE("PbkdfTime", OPTION_U32, pbkdf_time_ms),
	VALUE("PbkdfIterations", OPTION_U32, pbkdf_iterations),
	VALUE("PbkdfMemory", OPTION_U32, pbkdf_memory_kib),
	VALUE("PbkdfParallel", OPTION_U32, pbkdf_parallel),
	VALUE("Queue", OPTION_BOOL, queue),
	VALUE("Deadline", OPTION_U64, deadline_usec),
	VALUE("SkipUnwritten", OPTION_CHOICE, run.skip_unwritten),
	VALUE("Verify", OPTION_CHOICE, run.verify),
	{},
};

const struct option_key no_option_keys[] = {{}};

static const struct option_key *find_key(const struct option_key *keys, const char *name)
{
	for (; keys->key; keys++)
		if (strcmp(keys->key, name) == 0)
			return keys;
	return NULL;
}

static const char *type_of(enum option_kind kind)
{
	switch (kind) {
	case OPTION_BUFFER:
	case OPTION_TEXT:
		return "s";
	case OPTION_U32:
		return "u";
	case OPTION_U64:
		return "t";
	case OPTION_INT:
		return "i";
	case OPTION_BOOL:
	case OPTION_CHOICE:
		return "b";
	case OPTION_TEXTS:
		return "as";
	}
	return "";
}

static int too_long(const struct option_key *k, struct failure *f)
{
	return failure_set(f, -EINVAL, "the option %s is too long", k->key);
}

static int read_text(sd_bus_message *m, const struct option_key *k, void *where, struct failure *f)
{
	const char *text;
	int r = sd_bus_message_read_basic(m, 's', &text);

	if (r < 0)
		return r;
	if (strlen(text) >= k->size)
		return too_long(k, f);
	if (k->kind == OPTION_TEXT)
		*(const char **)where = text;
	else
		memcpy(where, text, strlen(text) + 1);
	return 0;
}

static int read_texts(sd_bus_message *m, const struct option_key *k, const char **where,
		      struct failure *f)
{
	const char *text;
	size_t n = 0;
	int r;

	r = sd_bus_message_enter_container(m, 'a', "s");
	while (r >= 0) {
		r = sd_bus_message_read_basic(m, 's', &text);
		if (r <= 0)
			break;
		if (n + 1 >= k->size)
			return too_long(k, f);
		where[n++] = text;
	}
	where[n] = NULL;
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_number(sd_bus_message *m, const struct option_key *k, void *where)
{
	int flag;
	int r;

	if (k->kind != OPTION_BOOL && k->kind != OPTION_CHOICE)
		return sd_bus_message_read_basic(m, *type_of(k->kind), where);
	r = sd_bus_message_read_basic(m, 'b', &flag);
	if (r >= 0 && k->kind == OPTION_BOOL)
		*(bool *)where = flag;
	else if (r >= 0)
		*(enum choice *)where = flag ? CHOICE_YES : CHOICE_NO;
	return r;
}

static int read_value(sd_bus_message *m, const struct option_key *k, void *out, struct failure *f)
{
	void *where = (char *)out + k->where;
	const char *type;
	int r;

	r = sd_bus_message_peek_type(m, NULL, &type);
	if (r < 0)
		return r;
	if (strcmp(type, type_of(k->kind)) != 0)
		return failure_set(f, -EINVAL, "the option %s must be of type %s", k->key,
				   type_of(k->kind));
	r = sd_bus_message_enter_container(m, 'v', type);
	if (r < 0)
		return r;
	if (k->kind == OPTION_TEXTS)
		r = read_texts(m, k, where, f);
	else if (k->kind == OPTION_TEXT || k->kind == OPTION_BUFFER)
		r = read_text(m, k, where, f);
	else
		r = read_number(m, k, where);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

/*
 * 1: read, 0: the end of the dictionary. @seen: bit n for keys[n]; a key comes once, so that nobody
 * has to know which of two counts, and no dictionary has more entries than there are keys.
 */
static int read_entry(sd_bus_message *m, const struct option_key *keys, void *out, uint32_t *seen,
		      struct failure *f)
{
	const struct option_key *k;
	const char *name;
	int r;

	r = sd_bus_message_enter_container(m, 'e', "sv");
	if (r <= 0)
		return r;
	r = sd_bus_message_read_basic(m, 's', &name);
	if (r < 0)
		return r;
	k = find_key(keys, name);
	if (!k)
		return failure_set(f, -EINVAL, "the option \"%.64s\" is not known", name);
	if (*seen & UINT32_C(1) << (k - keys))
		return failure_set(f, -EINVAL, "the option %s is given twice", name);
	*seen |= UINT32_C(1) << (k - keys);
	r = read_value(m, k, out, f);
	if (r >= 0)
		r = sd_bus_message_exit_container(m);
	return r < 0 ? r : 1;
}

int read_options(sd_bus_message *m, const struct option_key *keys, void *out, struct failure *f)
{
	uint32_t seen = 0;
	int r;

	r = sd_bus_message_enter_container(m, 'a', "{sv}");
	while (r > 0)
		r = read_entry(m, keys, out, &seen, f);
	if (r >= 0)
		r = sd_bus_message_exit_container(m);
	if (r < 0 && !*f->name)
		return failure_set(f, -EINVAL, "the options cannot be read");
	return r < 0 ? r : 0;
}

int read_rotate_options(sd_bus_message *m, struct rotate_options *out, struct failure *f)
{
	*out = (struct rotate_options)ROTATE_OPTIONS_NONE;
	out->may_weaken = true; /* polkit allowed the caller to choose the cipher and the costs */
	return read_options(m, rotate_option_keys, out, f);
}

int read_resume_options(sd_bus_message *m, struct resume_options *out, struct failure *f)
{
	static const struct option_key keys[] = {
		{"Now", OPTION_BOOL, offsetof(struct resume_options, now), 0},
		{"SkipUnwritten", OPTION_CHOICE,
		 offsetof(struct resume_options, run.skip_unwritten), 0},
		{"Verify", OPTION_CHOICE, offsetof(struct resume_options, run.verify), 0},
		{},
	};

	*out = (struct resume_options){};
	return read_options(m, keys, out, f);
}

int read_cancel_options(sd_bus_message *m, struct run_choices *out, struct failure *f)
{
	static const struct option_key keys[] = {
		{"SkipUnwritten", OPTION_CHOICE, offsetof(struct run_choices, skip_unwritten), 0},
		{"Verify", OPTION_CHOICE, offsetof(struct run_choices, verify), 0},
		{},
	};

	*out = (struct run_choices){};
	return read_options(m, keys, out, f);
}

int read_arguments(sd_bus_message *m, struct failure *f, const char *types, ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = sd_bus_message_readv(m, types, ap);
	va_end(ap);
	return r < 0 ? failure_set(f, -EINVAL, "the arguments cannot be read") : 0;
}

int read_reason(sd_bus_message *m, struct failure *f, const char **ret)
{
	int r = read_arguments(m, f, "s", ret);

	if (r == 0 && strlen(*ret) > REASON_MAX)
		r = failure_set(f, -EINVAL, "the reason is longer than %d bytes", REASON_MAX);
	return r;
}

static bool is_set(const struct option_key *k, const void *where)
{
	switch (k->kind) {
	case OPTION_BUFFER:
		return *(const char *)where != '\0';
	case OPTION_U32:
		return *(const uint32_t *)where != 0;
	case OPTION_U64:
		return *(const uint64_t *)where != 0;
	case OPTION_INT:
		return *(const int *)where >= 0;
	case OPTION_BOOL:
		return *(const bool *)where;
	case OPTION_CHOICE:
		return *(const enum choice *)where != CHOICE_CONFIGURED;
	case OPTION_TEXT:
	case OPTION_TEXTS:
		break;
	}
	return false;
}

int append_rotate_options(sd_bus_message *m, const struct rotate_options *o)
{
	int r = 0;

	for (const struct option_key *k = rotate_option_keys; k->key && r >= 0; k++) {
		const void *where = (const char *)o + k->where;
		const bool choice = k->kind == OPTION_CHOICE;
		int flag = !choice || *(const enum choice *)where == CHOICE_YES;

		if (is_set(k, where))
			r = append_entry(m, k->key, type_of(k->kind),
					 choice || k->kind == OPTION_BOOL ? &flag : where);
	}
	return r;
}
