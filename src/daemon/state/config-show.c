/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What holds, and which line says so. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/state/config-internal.h"
#include "util/cleanup.h"

struct shower {
	const struct config *config;
	config_show_t fn;
	void *userdata;
};

static int show(const struct shower *s, const char *name, const char *value,
		struct config_origin from)
{
	const char *file = from.line > 0 ? s->config->files[from.file] : NULL;

	if (!*value && !file) /* the default of a text is none */
		return 0;
	return s->fn(name, value, file, from.line, s->userdata);
}

static int show_rows(const struct shower *s, const struct config_row *rows, const void *values,
		     const struct config_origin *from)
{
	for (const struct config_row *row = rows; row->name; row++) {
		_cleanup_free_ char *value = NULL;
		int r;

		if (row->kind == CONFIG_WINDOW || row->scope == CONFIG_OF_STATE_FILE)
			continue;
		r = config_row_text(row, values, &value);
		if (r < 0)
			return r;
		r = show(s, row->name, value, from[row - rows]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int show_volume(const struct shower *s, const struct volume_config *v)
{
	int r = show_rows(s, volume_config_rows, v, v->from.rows);

	if (r < 0)
		return r;
	r = show_rows(s, politeness_rows, &v->polite, v->from.polite);
	for (size_t i = 0; i < v->polite.n_windows && r >= 0; i++)
		r = show(s, "Window", v->polite.windows[i].text, v->from.windows[i]);
	return r;
}

int config_show(const struct config *c, const char *uuid, config_show_t fn, void *userdata)
{
	const struct shower s = {.config = c, .fn = fn, .userdata = userdata};
	int r;

	if (uuid)
		return show_volume(&s, config_for_volume(c, uuid));
	r = show_rows(&s, manager_config_rows, c, c->from);
	return r < 0 ? r : show_volume(&s, &c->defaults);
}

char *config_section_text(const struct config *c, const char *uuid)
{
	const struct volume_config *v = config_find_volume(c, uuid);
	char *text;

	if (!v || v->from.section.line == 0 ||
	    asprintf(&text, "%s:%u", c->files[v->from.section.file], v->from.section.line) < 0)
		return NULL;
	return text;
}
