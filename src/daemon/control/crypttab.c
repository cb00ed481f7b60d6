/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/control/crypttab.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/device-name.h"

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
	_cleanup_free_ char *device = NULL;
	struct crypttab_entry e = {};
	char *text, *options;

	e.name = next_field(&line);
	if (!e.name || *e.name == '#')
		return 0;
	text = next_field(&line);
	(void)next_field(&line); /* the key */
	options = next_field(&line);
	if (!text || device_name_path(text, &device) < 0)
		return 0;
	e.device = device;
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
