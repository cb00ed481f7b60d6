/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/policy/units.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "util/checked.h"

/* A decimal number as units of 10^-9, so that "2.5" is exact. Leaves *text behind it. */
static int parse_decimal(const char **text, __uint128_t *ret)
{
	const char *p = *text;
	__uint128_t value = 0;
	unsigned fraction = 0;
	bool point = false, digit = false;

	for (; isdigit((unsigned char)*p) || (*p == '.' && !point); p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		if (point && ++fraction > 9)
			return -EINVAL;
		if (value > UINT64_MAX)
			return -ERANGE;
		value = value * 10 + (unsigned)(*p - '0');
		digit = true;
	}
	if (!digit)
		return -EINVAL;
	assert(fraction <= 9);
	for (; fraction < 9; fraction++)
		value *= 10;
	*text = p;
	*ret = value;
	return 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static int parse_with_unit(const char *text, const struct unit *units, size_t n, uint64_t *ret)
{
	__uint128_t value;
	int r = parse_decimal(&text, &value);

	if (r < 0)
		return r;
	while (*text == ' ')
		text++;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(text, units[i].name) != 0)
			continue;
		assert(units[i].factor > 0 && units[i].factor < UINT64_C(1) << 44);
		if (value / 1000000000 > UINT64_MAX / units[i].factor)
			return -ERANGE;
		/* value < 2^68 * 10^9 and factor < 2^44 could overflow; the check above bounds it
		 */
		*ret = (uint64_t)(value / 1000000000 * units[i].factor +
				  value % 1000000000 * units[i].factor / 1000000000);
		return 0;
	}
	return -EINVAL;
}

int config_parse_bytes(const char *text, uint64_t *ret)
{
	static const struct unit units[] = {
		{"", 1},
		{"B", 1},
		{"K", UINT64_C(1) << 10},
		{"M", UINT64_C(1) << 20},
		{"G", UINT64_C(1) << 30},
		{"T", UINT64_C(1) << 40},
		{"KiB", UINT64_C(1) << 10},
		{"MiB", UINT64_C(1) << 20},
		{"GiB", UINT64_C(1) << 30},
		{"TiB", UINT64_C(1) << 40},
		{"kB", UINT64_C(1000)},
		{"KB", UINT64_C(1000)},
		{"MB", UINT64_C(1000000)},
		{"GB", UINT64_C(1000000000)},
		{"TB", UINT64_C(1000000000000)},
	};

	return parse_with_unit(text, units, ARRAY_SIZE(units), ret);
}

int config_parse_usec(const char *text, uint64_t *ret)
{
	static const struct unit units[] = {
		{"", 1000000},     {"us", 1},         {"ms", 1000},
		{"s", 1000000},    {"sec", 1000000},  {"m", 60000000},
		{"min", 60000000}, {"h", 3600000000}, {"d", 86400000000},
	};

	return parse_with_unit(text, units, ARRAY_SIZE(units), ret);
}

int config_parse_bool(const char *text, bool *ret)
{
	static const char *const yes[] = {"1", "yes", "y", "true", "t", "on"};
	static const char *const no[] = {"0", "no", "n", "false", "f", "off"};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcasecmp(text, yes[i]) == 0) {
			*ret = true;
			return 0;
		}
		if (strcasecmp(text, no[i]) == 0) {
			*ret = false;
			return 0;
		}
	}
	return -EINVAL;
}
