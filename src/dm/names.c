/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dm/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "util/checked.h"

/* Hexadecimal digits of a UUID. */
#define UUID_DIGITS 32

int name_check(const char *name)
{
	/* libdevmapper's whitelist: all else it would escape, or not, by a process-wide setting. */
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789#+-.:=@_";
	const size_t size = strlen(name);

	if (size == 0 || strspn(name, allowed) != size || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return -EINVAL;
	if (size + strlen(SUFFIX_HOTZONE) > DM_NAME_MAX ||
	    strlen(UUID_HELPER) + UUID_DIGITS + 1 + size + strlen(SUFFIX_HOTZONE) > DM_UUID_MAX)
		return -ENAMETOOLONG;
	return 0;
}

void name_helper(const char *name, const char *suffix, char *ret)
{
	(void)snprintf(ret, DM_NAME_MAX + 1, "%s%s", name, suffix);
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
