/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/control/crypttab.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "util/checked.h"

/* udev's links: the tag's value in lower case where the link is. */
static int resolve_device(const char *text, char *path, size_t size)
{
	static const struct {
		const char *tag, *folder;
	} tags[] = {{"UUID=", "by-uuid"},
		    {"PARTUUID=", "by-partuuid"},
		    {"LABEL=", "by-label"},
		    {"PARTLABEL=", "by-partlabel"}};

	for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
		const size_t n = strlen(tags[i].tag);

		if (strncmp(text, tags[i].tag, n) != 0)
			continue;
		if (strchr(text + n, '/') || (size_t)snprintf(path, size, "/dev/disk/%s/%s",
							      tags[i].folder, text + n) >= size)
			return -EINVAL;
		return 0;
	}
	return *text == '/' && (size_t)snprintf(path, size, "%s", text) < size ? 0 : -EINVAL;
}

/* The value of header=, cut out of the options. */
static char *find_header(char *options)
{
	for (char *rest = options, *option; (option = strsep(&rest, ","));)
		if (strncmp(option, "header=/", strlen("header=/")) == 0)
			return option + strlen("header=");
	return NULL;
}

static char *next_field(char **line)
{
	char *field;

	do
		field = strsep(line, " \t");
	while (field && !*field);
	return field;
}

static int read_line(char *line, int (*fn)(const struct crypttab_entry *e, void *userdata),
		     void *userdata)
{
	char device[PATH_MAX];
	struct crypttab_entry e = {.device = device};
	char *text, *options;

	e.name = next_field(&line);
	if (!e.name || *e.name == '#')
		return 0;
	text = next_field(&line);
	(void)next_field(&line); /* the key */
	options = next_field(&line);
	if (!text || resolve_device(text, device, sizeof(device)) < 0)
		return 0;
	e.header = options ? find_header(options) : NULL;
	return fn(&e, userdata);
}

int crypttab_parse(char *text, size_t size,
		   int (*fn)(const struct crypttab_entry *e, void *userdata), void *userdata)
{
	const char *const end = text + size;

	assert(*end == '\0');
	while (text < end) {
		char *line = text, *newline = memchr(text, '\n', (size_t)(end - text));
		int r;

		text = newline ? newline + 1 : text + (end - text);
		if (newline)
			*newline = '\0';
		r = read_line(line, fn, userdata);
		if (r != 0)
			return r;
	}
	return 0;
}
