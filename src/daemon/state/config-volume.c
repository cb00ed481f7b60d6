/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The settings of a volume, a row each, and what holds where its section does not have them. */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "cli/options.h"
#include "daemon/state/config-internal.h"
#include "util/checked.h"

static const char *const resilience_names[] = {"checksum", "journal"};

#define ROW(name, kind, field)   CONFIG_ROW(volume_config, name, kind, field)
#define SWITCH(field, name, ...) {ROW(name, CONFIG_BOOL, run.field)},

const struct config_row volume_config_rows[] = {
	{ROW("Device", CONFIG_PATH, device), .scope = CONFIG_OF_ONE},
	{ROW("HeaderDevice", CONFIG_PATH, header_device), .scope = CONFIG_OF_ONE},
	/* udev's name of the disk. */
	{ROW("DeviceId", CONFIG_TEXT, device_id), .scope = CONFIG_OF_STATE_FILE},
	{ROW("Name", CONFIG_TEXT, name), .scope = CONFIG_OF_ONE},
	{ROW("Group", CONFIG_TEXT, group)},
	{ROW("OnEvent", CONFIG_ON_EVENT, on_event), .scope = CONFIG_OF_ALL_UNLESS_EMPTY},
	{ROW("RateLimit", CONFIG_RATE, rate_limit)},
	{ROW("StallTarget", CONFIG_TIME, stall_target_usec)},
	{ROW("HotzoneSizeMax", CONFIG_BYTES, hotzone_size_max)},
	{ROW("Threads", CONFIG_NUMBER, threads), .most = OPTION_THREADS_MAX},
	{ROW("AllowSharedFiles", CONFIG_BOOL, allow_shared_files)},
	{ROW("Resilience", CONFIG_TEXT, resilience), .names = resilience_names, .n_names = 2},
	{ROW("ResilienceHash", CONFIG_TEXT, resilience_hash)},
	{ROW("KeyProvider", CONFIG_NAME, provider.kind), .names = provider_kind_names,
	 .n_names = PROVIDER_TOKEN + 1},
	{ROW("KeyFile", CONFIG_PATH, provider.key_file), .scope = CONFIG_OF_ALL_UNLESS_EMPTY},
	{ROW("Credential", CONFIG_TEXT, provider.credential), .scope = CONFIG_OF_ALL_UNLESS_EMPTY},
	{ROW("KeyringKey", CONFIG_TEXT, provider.keyring_key), .scope = CONFIG_OF_ALL_UNLESS_EMPTY},
	{ROW("Token", CONFIG_NUMBER_OR_ANY, provider.token), .most = 31},
	/* 0 would be no limit at all. */
	{ROW("KeyTimeout", CONFIG_TIME, provider.timeout_usec), .least = 1, .most = CONFIG_DAY},
	{ROW("KeyMemoryMax", CONFIG_BYTES, key_memory_max)},
	{ROW("KeyCostMax", CONFIG_NUMBER, key_cost_max), .least = OPTION_KEY_COST_MIN, .or_0 = true,
	 .most = UINT32_MAX},
	RUN_SWITCHES(SWITCH){},
};

_Static_assert(ARRAY_SIZE(volume_config_rows) - 1 <= CONFIG_ROWS_MAX,
	       "a bit of volume_config.set for each");

static uint32_t row_bit(const struct config_row *row)
{
	return UINT32_C(1) << (row - volume_config_rows);
}

static bool may_stand(const struct config_row *row, const struct volume_config *v, bool state_file)
{
	switch (row->scope) {
	case CONFIG_OF_ALL:
	case CONFIG_OF_ALL_UNLESS_EMPTY:
		return true;
	case CONFIG_OF_ONE:
		return *v->uuid;
	case CONFIG_OF_STATE_FILE:
		return *v->uuid && state_file;
	}
	assert(false);
	return false;
}

int volume_config_set(struct volume_config *v, const char *key, const char *value, bool state_file,
		      struct config_origin from)
{
	const struct config_row *row = config_row_find(volume_config_rows, key);
	int r;

	if (!row || !may_stand(row, v, state_file))
		return -ENOENT;
	r = config_row_set(row, v, value);
	if (r < 0)
		return r;
	v->set |= row_bit(row);
	v->from.rows[row - volume_config_rows] = from;
	return 0;
}

static bool leaves_out(const struct volume_config *v, const struct config_row *row)
{
	switch (row->scope) {
	case CONFIG_OF_ALL:
		return !(v->set & row_bit(row));
	case CONFIG_OF_ALL_UNLESS_EMPTY:
		return !*(char *const *)((const char *)v + row->where);
	case CONFIG_OF_ONE:
	case CONFIG_OF_STATE_FILE:
		return false;
	}
	assert(false);
	return false;
}

int volume_config_set_polite(struct volume_config *v, const char *key, const char *value,
			     struct config_origin from)
{
	const struct config_row *row = config_row_find(politeness_rows, key);
	int r = politeness_set(&v->polite, key, value);

	if (r < 0)
		return r;
	v->from.polite[row - politeness_rows] = from;
	if (row->kind == CONFIG_WINDOW && v->polite.n_windows > 0)
		v->from.windows[v->polite.n_windows - 1] = from;
	return 0;
}

static void inherit_origins(struct volume_config *v, const struct volume_config *defaults)
{
	for (unsigned i = 0; i < POLITENESS_SETTINGS; i++)
		if (!politeness_has(&v->polite, i))
			v->from.polite[i] = defaults->from.polite[i];
	if (!politeness_has(&v->polite, POLITENESS_WINDOW))
		memcpy(v->from.windows, defaults->from.windows, sizeof(v->from.windows));
}

static int inherit_row(struct volume_config *v, const struct config_row *row,
		       const struct volume_config *defaults)
{
	const ptrdiff_t i = row - volume_config_rows;
	void *where = (char *)v + row->where;
	const void *from = (const char *)defaults + row->where;

	v->from.rows[i] = defaults->from.rows[i];
	if (config_row_owns(row))
		return config_set_text(where, *(char *const *)from ?: "");
	memcpy(where, from, row->size);
	return 0;
}

int volume_config_inherit(struct volume_config *v, const struct volume_config *defaults)
{
	int r = politeness_inherit(&v->polite, &defaults->polite);

	assert(*v->uuid && !*defaults->uuid);
	inherit_origins(v, defaults);
	for (const struct config_row *row = volume_config_rows; row->name && r == 0; row++)
		r = leaves_out(v, row) ? inherit_row(v, row, defaults) : 0;
	return r;
}
