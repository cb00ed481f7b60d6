/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Settings for people: their values, and what is wrong with one that is refused. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/state/config-internal.h"
#include "model/least-rate.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/path-text.h"
#include "util/text.h"

struct amount_unit {
	const char *name;
	uint64_t factor;
};

static const struct amount_unit sizes[] = {{"T", UINT64_C(1) << 40},
					   {"G", UINT64_C(1) << 30},
					   {"M", UINT64_C(1) << 20},
					   {"K", UINT64_C(1) << 10},
					   {"", 1}};
static const struct amount_unit times[] = {{"d", UINT64_C(86400000000)},
					   {"h", UINT64_C(3600000000)},
					   {"min", 60000000},
					   {"s", 1000000},
					   {"ms", 1000},
					   {"us", 1}};

void config_amount_text(enum config_kind kind, uint64_t n, char text[static CONFIG_AMOUNT_TEXT])
{
	const struct amount_unit *u = kind == CONFIG_TIME ? times : sizes;

	if (kind == CONFIG_NUMBER || kind == CONFIG_NUMBER_OR_ANY || n == 0) {
		(void)snprintf(text, CONFIG_AMOUNT_TEXT, "%" PRIu64, n);
		return;
	}
	while (n % u->factor != 0)
		u++;
	(void)snprintf(text, CONFIG_AMOUNT_TEXT, "%" PRIu64 "%s", n / u->factor, u->name);
}

static int copy(const char *text, char **ret)
{
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int amount(enum config_kind kind, uint64_t n, char **ret)
{
	char text[CONFIG_AMOUNT_TEXT];

	config_amount_text(kind, n, text);
	return copy(text, ret);
}

static int path(const char *bytes, char **ret)
{
	*ret = path_to_text(bytes ? bytes : "");
	return *ret ? 0 : -ENOMEM;
}

int config_row_text(const struct config_row *row, const void *values, char **ret)
{
	const void *where = (const char *)values + row->where;

	switch (row->kind) {
	case CONFIG_TEXT:
		return copy(*(char *const *)where ?: "", ret);
	case CONFIG_PATH:
		return path(*(char *const *)where, ret);
	case CONFIG_NAME:
		assert(*(const unsigned *)where < row->n_names);
		return copy(row->names[*(const unsigned *)where], ret);
	case CONFIG_NUMBER:
		return amount(row->kind, *(const unsigned *)where, ret);
	case CONFIG_NUMBER_OR_ANY:
		return *(const int *)where < 0
			       ? copy("any", ret)
			       : amount(row->kind, (uint64_t) * (const int *)where, ret);
	case CONFIG_BYTES:
	case CONFIG_RATE:
	case CONFIG_TIME:
		return amount(row->kind, *(const uint64_t *)where, ret);
	case CONFIG_BOOL:
		return copy(*(const bool *)where ? "yes" : "no", ret);
	case CONFIG_ON_EVENT:
		return copy(*(char *const *)where ?: "none", ret);
	case CONFIG_DEADLINE:
		return copy(((const struct deadline *)where)->text, ret);
	case CONFIG_WINDOW: /* which may be many */
		break;
	}
	return copy("", ret);
}

/* "none, key-file or token" */
static void hint_names(const struct config_row *row, char *text, size_t size)
{
	size_t n = (size_t)snprintf(text, size, "it must be ");

	for (unsigned i = 0; i < row->n_names && n < size; i++)
		n += (size_t)snprintf(text + n, size - n, "%s%s",
				      i == 0                 ? ""
				      : i + 1 < row->n_names ? ", "
							     : " or ",
				      row->names[i]);
}

/* What a value of this kind looks like. */
static const char *example_of(enum config_kind kind)
{
	switch (kind) {
	case CONFIG_PATH:
		return "a path is absolute, such as /dev/disk/by-id/NAME";
	case CONFIG_NUMBER:
		return "it is a whole number";
	case CONFIG_NUMBER_OR_ANY:
		return "it is a whole number, or any";
	case CONFIG_BYTES:
		return "a size is bytes, such as 64M";
	case CONFIG_RATE:
		return "a rate is bytes per second, such as 20M";
	case CONFIG_TIME:
		return "a time is such as 50ms, 2s or 1h";
	case CONFIG_BOOL:
		return "it is yes or no";
	case CONFIG_ON_EVENT:
		return "it is unit:NAME@.service, an absolute path, or none";
	case CONFIG_WINDOW:
		return "a window is when it opens and for how long, such as Mon..Fri 22:00 for 8h";
	case CONFIG_DEADLINE:
		return "a deadline is a time from the start, such as 3d, or a calendar expression, "
		       "such as Mon 06:00";
	case CONFIG_TEXT:
	case CONFIG_NAME:
		break;
	}
	return "it is not understood";
}

static void hint_bound(const struct config_row *row, const char *which, uint64_t bound, char *text,
		       size_t size)
{
	char amount[CONFIG_AMOUNT_TEXT];

	config_amount_text(row->kind, bound, amount);
	(void)snprintf(text, size, "the %s is %s", which, amount);
}

void config_row_hint(const struct config_row *row, int error, const char *value, char *text,
		     size_t size)
{
	char why[LEAST_RATE_TEXT];
	uint64_t rate;

	assert(row && error < 0);
	if (error == -E2BIG)
		(void)snprintf(text, size, "the most is %d of them", WINDOWS_MAX);
	else if (error == -EDOM && row->kind == CONFIG_RATE &&
		 config_parse_bytes(value, &rate) == 0 && least_rate_check(rate, why) < 0)
		(void)snprintf(text, size, "%s", why);
	else if (error == -EDOM)
		hint_bound(row, "least", row->least, text, size);
	else if (error == -ERANGE && row->most)
		hint_bound(row, "most", row->most, text, size);
	else if (error == -ERANGE)
		(void)snprintf(text, size, "it is too large");
	else if (row->names)
		hint_names(row, text, size);
	else
		(void)snprintf(text, size, "%s", example_of(row->kind));
}
