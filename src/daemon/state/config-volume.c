/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The settings of a volume, a row each: its name, how its value is read, where it goes, and what
 * holds where the section of the volume does not have it.
 */
#include <ctype.h>
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/state/config-internal.h"
#include "util/checked.h"
#include "util/path-text.h"
#include "cli/options.h"

#define KEY_TIMEOUT_MAX (UINT64_C(86400) * 1000000) /* a day */

/* --- values --- */

int config_set_text(void *where, const char *value)
{
	char *copy = NULL, **target = where;

	if (*value) {
		copy = strdup(value);
		if (!copy)
			return -ENOMEM;
	}
	free(*target);
	*target = copy;
	return 0;
}

int config_set_path(void *where, const char *value)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (!*value)
		return config_set_text(where, value);
	r = path_from_text(value, &path);
	return r < 0 ? r : config_set_text(where, path);
}

int config_set_count(void *where, const char *value)
{
	char *end;
	unsigned long n;

	if (!isdigit((unsigned char)*value))
		return -EINVAL;
	errno = 0;
	n = strtoul(value, &end, 10);
	if (errno || *end || n > 65536)
		return -EINVAL;
	*(unsigned *)where = (unsigned)n;
	return 0;
}

static int set_bytes(void *where, const char *value)
{
	return config_parse_bytes(value, where);
}

static int set_usec(void *where, const char *value)
{
	return config_parse_usec(value, where);
}

static int set_bool(void *where, const char *value)
{
	return config_parse_bool(value, where);
}

static int set_token(void *where, const char *value)
{
	unsigned n;

	if (strcmp(value, "any") == 0) {
		*(int *)where = -1;
		return 0;
	}
	if (config_set_count(&n, value) < 0 || n > 31)
		return -EINVAL;
	*(int *)where = (int)n;
	return 0;
}

static int set_threads(void *where, const char *value)
{
	unsigned n;

	if (config_set_count(&n, value) < 0 || n > OPTION_THREADS_MAX)
		return -EINVAL;
	*(unsigned *)where = n;
	return 0;
}

/* 0 would be no limit at all. */
static int set_key_timeout(void *where, const char *value)
{
	uint64_t usec;
	int r = config_parse_usec(value, &usec);

	if (r < 0)
		return r;
	if (usec == 0)
		return -EINVAL;
	if (usec > KEY_TIMEOUT_MAX)
		return -ERANGE;
	*(uint64_t *)where = usec;
	return 0;
}

static int set_cost(void *where, const char *value)
{
	char *end;
	unsigned long long n;

	if (!isdigit((unsigned char)*value))
		return -EINVAL;
	errno = 0;
	n = strtoull(value, &end, 10);
	if (*end || (n > 0 && n < OPTION_KEY_COST_MIN))
		return -EINVAL;
	if (errno || n > UINT32_MAX)
		return -ERANGE;
	*(uint32_t *)where = (uint32_t)n;
	return 0;
}

static int set_provider(void *where, const char *value)
{
	for (unsigned i = 0; i <= PROVIDER_TOKEN; i++)
		if (strcmp(value, provider_kind_names[i]) == 0) {
			*(enum provider_kind *)where = (enum provider_kind)i;
			return 0;
		}
	return -EINVAL;
}

static int set_resilience(void *where, const char *value)
{
	return *value && strcmp(value, "checksum") != 0 && strcmp(value, "journal") != 0
		       ? -EINVAL
		       : config_set_text(where, value);
}

/* --- rows --- */

enum from_defaults {
	NOTHING,       /* the setting makes sense for one volume only */
	PLAIN,         /* the value */
	TEXT,          /* a copy of it */
	TEXT_IF_EMPTY, /* the same, also where the section has the setting without a value */
};

struct volume_setting {
	const char *name;
	int (*set)(void *where, const char *value);
	size_t where, size; /* bytes, in struct volume_config */
	enum from_defaults from_defaults;
};

#define ROW(name, set, field, from_defaults)                                                       \
	{                                                                                          \
		name, set, offsetof(struct volume_config, field),                                  \
			sizeof(((struct volume_config *)NULL)->field), from_defaults               \
	}

#define SWITCH(field, name, ...) ROW(name, set_bool, run.field, PLAIN),

static const struct volume_setting rows[] = {
	ROW("Device", config_set_path, device, NOTHING),
	ROW("HeaderDevice", config_set_path, header_device, NOTHING),
	ROW("DeviceId", config_set_text, device_id, NOTHING),
	ROW("Name", config_set_text, name, NOTHING),
	ROW("Group", config_set_text, group, TEXT),
	ROW("RateLimit", set_bytes, rate_limit, PLAIN),
	ROW("StallTarget", set_usec, stall_target_usec, PLAIN),
	ROW("HotzoneSizeMax", set_bytes, hotzone_size_max, PLAIN),
	ROW("Threads", set_threads, threads, PLAIN),
	ROW("AllowSharedFiles", set_bool, allow_shared_files, PLAIN),
	ROW("Resilience", set_resilience, resilience, TEXT),
	ROW("ResilienceHash", config_set_text, resilience_hash, TEXT),
	ROW("KeyProvider", set_provider, provider.kind, PLAIN),
	ROW("KeyFile", config_set_path, provider.key_file, TEXT_IF_EMPTY),
	ROW("Credential", config_set_text, provider.credential, TEXT_IF_EMPTY),
	ROW("KeyringKey", config_set_text, provider.keyring_key, TEXT_IF_EMPTY),
	ROW("Token", set_token, provider.token, PLAIN),
	ROW("KeyTimeout", set_key_timeout, provider.timeout_usec, PLAIN),
	ROW("KeyMemoryMax", set_bytes, key_memory_max, PLAIN),
	ROW("KeyCostMax", set_cost, key_cost_max, PLAIN),
	RUN_SWITCHES(SWITCH){},
};

_Static_assert(ARRAY_SIZE(rows) - 1 <= 32, "a bit of volume_config.set for each");

static uint32_t row_bit(const struct volume_setting *s)
{
	return UINT32_C(1) << (s - rows);
}

/* udev's name of a disk is noted by the daemon itself; nobody else shall say what it is. */
static bool is_of_state_file(const struct volume_setting *s)
{
	return s->where == offsetof(struct volume_config, device_id);
}

int volume_config_set(struct volume_config *v, const char *key, const char *value, bool state_file)
{
	for (const struct volume_setting *s = rows; s->name; s++) {
		int r;

		if (strcmp(s->name, key) != 0)
			continue;
		if ((!*v->uuid && s->from_defaults == NOTHING) ||
		    (is_of_state_file(s) && !state_file))
			return -ENOENT;
		r = s->set((char *)v + s->where, value);
		if (r < 0)
			return r;
		v->set |= row_bit(s);
		return 0;
	}
	return -ENOENT;
}

static int inherit_row(const struct volume_setting *s, bool is_set, struct volume_config *v,
		       const struct volume_config *defaults)
{
	void *where = (char *)v + s->where;
	const void *from = (const char *)defaults + s->where;
	const char *text;

	switch (s->from_defaults) {
	case NOTHING:
		return 0;
	case PLAIN:
		if (!is_set)
			memcpy(where, from, s->size);
		return 0;
	case TEXT:
		text = *(char *const *)from;
		return is_set || !text ? 0 : config_set_text(where, text);
	case TEXT_IF_EMPTY:
		text = *(char *const *)from;
		return *(char **)where || !text ? 0 : config_set_text(where, text);
	}
	return 0;
}

int volume_config_inherit(struct volume_config *v, const struct volume_config *defaults)
{
	int r = politeness_inherit(&v->polite, &defaults->polite);

	assert(*v->uuid && !*defaults->uuid);
	for (const struct volume_setting *s = rows; s->name && r == 0; s++)
		r = inherit_row(s, v->set & row_bit(s), v, defaults);
	return r;
}
