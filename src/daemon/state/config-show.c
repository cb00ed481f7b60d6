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
	const char *section;
	config_show_t fn;
	void *userdata;
};

static int show(const struct shower *s, const char *name, const char *value,
		struct config_origin from)
{
	const struct config_line l = {.section = s->section,
				      .name = name,
				      .value = value,
				      .file = from.line > 0 ? s->config->files[from.file] : NULL,
				      .line = from.line};

	return *value || l.file ? s->fn(&l, s->userdata) : 0; /* the default of a text is none */
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
	struct shower s = {.config = c, .section = CONFIG_MANAGER, .fn = fn, .userdata = userdata};
	int r = uuid ? 0 : show_rows(&s, manager_config_rows, c, c->from);

	s.section = CONFIG_VOLUME;
	return r < 0 ? r : show_volume(&s, uuid ? config_for_volume(c, uuid) : &c->defaults);
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
