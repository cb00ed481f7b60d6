/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Settings of the configuration by their rows: what their values look like, and where they go. */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/state/config-internal.h"
#include "model/least-rate.h"
#include "daemon/state/on-event.h"
#include "util/device-name.h"

int config_set_text(char **where, const char *value)
{
	char *copy = NULL;

	if (*value) {
		copy = strdup(value);
		if (!copy)
			return -ENOMEM;
	}
	free(*where);
	*where = copy;
	return 0;
}

static int set_path(char **where, const char *value)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (!*value)
		return config_set_text(where, value);
	r = device_name_path(value, &path);
	return r < 0 ? r : config_set_text(where, path);
}

static int find_name(const struct config_row *row, const char *value, unsigned *ret)
{
	for (unsigned i = 0; i < row->n_names; i++)
		if (strcmp(value, row->names[i]) == 0) {
			*ret = i;
			return 0;
		}
	return -EINVAL;
}

static int set_text(const struct config_row *row, char **where, const char *value)
{
	unsigned unused;

	if (row->names && *value && find_name(row, value, &unused) < 0)
		return -EINVAL;
	return config_set_text(where, value);
}

static int parse_number(const char *value, uint64_t *ret)
{
	char *end;

	if (!isdigit((unsigned char)*value))
		return -EINVAL;
	errno = 0;
	*ret = strtoull(value, &end, 10);
	if (*end)
		return -EINVAL;
	return -errno;
}

static int check_bounds(const struct config_row *row, uint64_t n)
{
	if (n == 0 && row->or_0)
		return 0;
	if (n < row->least)
		return -EDOM;
	return row->most && n > row->most ? -ERANGE : 0;
}

static int set_number(const struct config_row *row, unsigned *where, const char *value)
{
	uint64_t n;
	int r = parse_number(value, &n);

	assert(row->most > 0 && row->most <= UINT32_MAX);
	if (r < 0)
		return r;
	r = check_bounds(row, n);
	if (r < 0)
		return r;
	*where = (unsigned)n;
	return 0;
}

static int set_number_or_any(const struct config_row *row, int *where, const char *value)
{
	unsigned n;
	int r;

	if (strcmp(value, "any") == 0) {
		*where = -1;
		return 0;
	}
	r = set_number(row, &n, value);
	if (r < 0)
		return r;
	*where = (int)n;
	return 0;
}

typedef int (*parse_t)(const char *value, uint64_t *ret);

static int set_amount(const struct config_row *row, parse_t parse, uint64_t *where,
		      const char *value)
{
	uint64_t n;
	int r = parse(value, &n);

	if (r < 0)
		return r;
	r = check_bounds(row, n);
	if (r < 0)
		return r;
	*where = n;
	return 0;
}

/* "20M", "0". -EDOM: less than anybody may ask for. */
int config_parse_rate(const char *value, uint64_t *ret)
{
	char unused[LEAST_RATE_TEXT];
	uint64_t rate;
	int r = config_parse_bytes(value, &rate);

	if (r < 0)
		return r;
	if (least_rate_check(rate, unused) < 0)
		return -EDOM;
	*ret = rate;
	return 0;
}

static int set_value(const struct config_row *row, void *where, const char *value)
{
	switch (row->kind) {
	case CONFIG_TEXT:
		return set_text(row, where, value);
	case CONFIG_PATH:
		return set_path(where, value);
	case CONFIG_NAME:
		return find_name(row, value, where);
	case CONFIG_NUMBER:
		return set_number(row, where, value);
	case CONFIG_NUMBER_OR_ANY:
		return set_number_or_any(row, where, value);
	case CONFIG_BYTES:
		return set_amount(row, config_parse_bytes, where, value);
	case CONFIG_RATE:
		return set_amount(row, config_parse_rate, where, value);
	case CONFIG_TIME:
		return set_amount(row, config_parse_usec, where, value);
	case CONFIG_BOOL:
		return config_parse_bool(value, where);
	case CONFIG_WINDOW:
	case CONFIG_DEADLINE:
		break;
	case CONFIG_ON_EVENT:
		return on_event_check(value) < 0 ? -EINVAL : config_set_text(where, value);
	}
	assert(false);
	return -EINVAL;
}

const struct config_row *config_row_find(const struct config_row *rows, const char *name)
{
	for (const struct config_row *row = rows; row->name; row++)
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

int config_row_set(const struct config_row *row, void *values, const char *value)
{
	return set_value(row, (char *)values + row->where, value);
}

bool config_row_owns(const struct config_row *row)
{
	return row->kind == CONFIG_TEXT || row->kind == CONFIG_PATH || row->kind == CONFIG_ON_EVENT;
}

void config_rows_clear(const struct config_row *rows, void *values)
{
	for (const struct config_row *row = rows; row->name; row++)
		if (config_row_owns(row))
			(void)config_set_text((char **)((char *)values + row->where), "");
}
