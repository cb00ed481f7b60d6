/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The value of one option, from its text. */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "model/least-rate.h"
#include "model/rotation-check.h"
#include "util/checked.h"
#include "util/log.h"
#include "util/text.h"
#include "cli/options-table.h"

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

static int set_rate(const struct option_spec *s, const char *value, uint64_t *where)
{
	char text[LEAST_RATE_TEXT];

	if (options_parse_size(value, where) < 0) {
		log_error("--%s \"%s\" is not a rate (such as 20000000, 20M, 20MiB or 20MB)",
			  s->name, value);
		return -EINVAL;
	}
	if (*where == 0) {
		log_error("--%s 0 is no rate; leave it out where there is to be no limit", s->name);
		return -EINVAL;
	}
	if (least_rate_check(*where, text) < 0) {
		log_error("--%s %s: %s", s->name, value, text);
		return -EINVAL;
	}
	return 0;
}

/* Of a keyslot or a token: LUKS2 has 32 of each. */
static int set_id(const struct option_spec *s, const char *what, const char *value, int *where)
{
	uint64_t v;
	const char *rest;

	if (parse_u64(value, &rest, &v) < 0 || *rest || v > 31) {
		log_error("--%s must be a %s number between 0 and 31, not %s", s->name, what,
			  value);
		return -EINVAL;
	}
	*where = (int)v;
	return 0;
}

static int set_buffer(const struct option_spec *s, const char *value, char *where)
{
	if (text_copy(where, s->size, value))
		return 0;
	log_error("--%s \"%s\" is too long", s->name, value);
	return -EINVAL;
}

static int set_resilience(const struct option_spec *s, const char *value, char *where)
{
	int r = rotation_check_resilience(value);

	return r < 0 ? r : set_buffer(s, value, where);
}

static int set_json(const char *value, enum json_format *where)
{
	if (!value || strcmp(value, "pretty") == 0)
		*where = JSON_PRETTY;
	else if (strcmp(value, "short") == 0)
		*where = JSON_SHORT;
	else if (strcmp(value, "off") == 0)
		*where = JSON_OFF;
	else {
		log_error("--json must be short, pretty or off, not \"%s\"", value);
		return -EINVAL;
	}
	return 0;
}

static int set_wait(const char *value, enum wait_mode *where)
{
	if (!value || strcmp(value, "done") == 0)
		*where = WAIT_DONE;
	else if (strcmp(value, "attention") == 0)
		*where = WAIT_ATTENTION;
	else {
		log_error("--wait must be done or attention, not \"%s\"", value);
		return -EINVAL;
	}
	return 0;
}

int option_takes_value(const struct option_spec *s)
{
	if (s->kind == KIND_JSON || s->kind == KIND_WAIT)
		return optional_argument;
	return s->kind == KIND_FLAG || s->kind == KIND_REFUSED_FLAG || s->kind == KIND_IGNORED_FLAG
		       ? no_argument
		       : required_argument;
}

static void note_ignored(const struct option_spec *s, struct options *o)
{
	const size_t row = (size_t)(s - option_specs);

	assert(row < 64 * ARRAY_SIZE(o->ignored));
	o->ignored[row / 64] |= UINT64_C(1) << row % 64;
}

int option_set(const struct option_spec *s, const char *value, struct options *o)
{
	void *where = (char *)o + s->where;

	assert(s->name && s->where < sizeof(*o));
	assert(value || option_takes_value(s) != required_argument);
	if ((s->kind == KIND_STRING || s->kind == KIND_BUFFER) && *value == '\0') {
		log_error("--%s must not be empty", s->name);
		return -EINVAL;
	}
	switch (s->kind) {
	case KIND_FLAG:
		*(bool *)where = true;
		return 0;
	case KIND_STRING:
		*(const char **)where = value;
		return 0;
	case KIND_BUFFER:
		return set_buffer(s, value, where);
	case KIND_U32:
	case KIND_U64:
	case KIND_BITS:
		return set_number(s, value, where);
	case KIND_SIZE:
		return set_size(s, value, where);
	case KIND_RATE:
		return set_rate(s, value, where);
	case KIND_KEYSLOT:
		return set_id(s, "keyslot", value, where);
	case KIND_TOKEN:
		return set_id(s, "token", value, where);
	case KIND_RESILIENCE:
		return set_resilience(s, value, where);
	case KIND_JSON:
		return set_json(value, where);
	case KIND_WAIT:
		return set_wait(value, where);
	case KIND_REFUSED_FLAG:
	case KIND_REFUSED_VALUE:
		log_error("--%s is refused: %s", s->name, s->help);
		return -ENOTSUP;
	case KIND_IGNORED_FLAG:
	case KIND_IGNORED_VALUE:
		note_ignored(s, o);
		return 0;
	}
	return -EINVAL;
}
