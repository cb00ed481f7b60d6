/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "util/device-name.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/checked.h"
#include "util/cleanup.h"
#include "util/path-text.h"

static const struct {
	const char *tag, *folder;
} tags[] = {{"UUID=", "by-uuid"},
	    {"LABEL=", "by-label"},
	    {"PARTUUID=", "by-partuuid"},
	    {"PARTLABEL=", "by-partlabel"}};

/* udev writes what does not belong into a name as \x20. */
static char *encode(const char *folder, const char *value)
{
	static const char kept[] = "#+-.:=@_";
	char *path = malloc(strlen("/dev/disk//") + strlen(folder) + strlen(value) * 4 + 1), *out;

	if (!path)
		return NULL;
	out = path + sprintf(path, "/dev/disk/%s/", folder);
	for (; *value; value++) {
		const unsigned char c = (unsigned char)*value;

		if (c >= 0x80 || isalnum(c) || strchr(kept, c))
			*out++ = (char)c;
		else
			out += sprintf(out, "\\x%02x", c);
	}
	*out = '\0';
	return path;
}

int device_name_path(const char *text, char **ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
		const size_t n = strlen(tags[i].tag);
		_cleanup_free_ char *path = NULL;

		if (strncmp(text, tags[i].tag, n) != 0)
			continue;
		if (!text[n] || strchr(text + n, '/'))
			return -EINVAL;
		path = encode(tags[i].folder, text + n);
		if (!path)
			return -ENOMEM;
		if (strlen(path) >= PATH_MAX)
			return -EINVAL;
		*ret = TAKE_PTR(path);
		return 0;
	}
	return path_from_text(text, ret);
}
