/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dm/names.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "util/checked.h"

/* Hexadecimal digits of a UUID. */
#define UUID_DIGITS 32

/* Of a volume's name, in front of a hash, where the name cannot be that of a helper. */
#define SHORT_MAX 32

/* libdevmapper's whitelist: all else is escaped, or not, by a setting of each program. */
static bool is_plain(char c)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789#+-.:=@_";

	return c && strchr(allowed, c);
}

int name_check(const char *name)
{
	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	return strlen(name) > DM_NAME_MAX ? -ENAMETOOLONG : 0;
}

/* Have the longest name of a helper, and its UUID, room for all of @name? */
static bool leaves_room(const char *name)
{
	const size_t size = strlen(name) + strlen(SUFFIX_HOTZONE);

	return size <= DM_NAME_MAX && strlen(UUID_HELPER) + UUID_DIGITS + 1 + size <= DM_UUID_MAX;
}

static bool is_plain_text(const char *name)
{
	while (is_plain(*name))
		name++;
	return !*name;
}

/* FNV-1a. Nobody gains by two names with one hash: the second stack is refused. */
static uint64_t hash_of(const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	return hash;
}

void name_helper(const char *name, const char *suffix, char *ret)
{
	char begin[SHORT_MAX + 1];

	assert(strlen(suffix) <= strlen(SUFFIX_HOTZONE));
	if (is_plain_text(name) && leaves_room(name)) {
		(void)snprintf(ret, DM_NAME_MAX + 1, "%s%s", name, suffix);
		return;
	}
	(void)snprintf(begin, sizeof(begin), "%s", name);
	for (char *p = begin; *p; p++)
		*p = is_plain(*p) ? *p : '_';
	(void)snprintf(ret, DM_NAME_MAX + 1, "%s-%016" PRIx64 "%s", begin, hash_of(name), suffix);
}

int name_stock_helper(const char *name, const char *suffix, char *ret)
{
	const int n = snprintf(ret, DM_NAME_MAX + 1, "%s%s", name, suffix);

	return n < 0 || n > DM_NAME_MAX ? -ENAMETOOLONG : 0;
}

int name_escape(const char *name, char *ret)
{
	size_t n = 0;

	for (; *name; name++) {
		const bool plain = is_plain(*name);

		if (n + (plain ? 1 : 4) > DM_NAME_MAX)
			return -ENAMETOOLONG;
		n += (size_t)sprintf(ret + n, plain ? "%c" : "\\x%02x", (unsigned char)*name);
	}
	ret[n] = '\0';
	return 0;
}

enum name_match name_match(const char *given, const char *name)
{
	char escaped[DM_NAME_MAX + 1];

	if (strcmp(given, name) == 0)
		return NAME_EXACT;
	return name_escape(given, escaped) == 0 && strcmp(escaped, name) == 0 ? NAME_ESCAPED
									      : NAME_OTHER;
}

static int uuid_digits(const char *luks_uuid, char *ret)
{
	size_t n = 0;

	for (const char *p = luks_uuid; *p; p++) {
		if (*p == '-')
			continue;
		if (!strchr("0123456789abcdefABCDEF", *p) || n == UUID_DIGITS)
			return -EINVAL;
		ret[n++] = *p;
	}
	ret[n] = '\0';
	return n == UUID_DIGITS ? 0 : -EINVAL;
}

int name_uuid(const char *prefix, const char *luks_uuid, const char *name, char *ret)
{
	char digits[UUID_DIGITS + 1];
	int n, r = uuid_digits(luks_uuid, digits);

	if (r < 0)
		return r;
	n = snprintf(ret, DM_UUID_MAX + 1, "%s%s-%s", prefix, digits, name);
	return n < 0 || n > DM_UUID_MAX ? -ENAMETOOLONG : 0;
}

int name_stock_uuid(const char *luks_uuid, const char *name, char *ret)
{
	char digits[UUID_DIGITS + 1];
	int r = uuid_digits(luks_uuid, digits);

	if (r < 0)
		return r;
	return snprintf(ret, DM_UUID_MAX + 1, UUID_HELPER "%s-%s", digits, name) < 0 ? -EINVAL : 0;
}

bool name_has_prefix(const char *dm_uuid, const char *prefix)
{
	return strncasecmp(dm_uuid, prefix, strlen(prefix)) == 0;
}

bool name_is_volume(const char *dm_uuid, const char *luks_uuid)
{
	char prefix[DM_UUID_MAX + 1];

	return name_uuid(UUID_VOLUME, luks_uuid, "", prefix) == 0 &&
	       name_has_prefix(dm_uuid, prefix);
}
