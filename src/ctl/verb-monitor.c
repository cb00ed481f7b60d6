/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * recryptctl monitor: at a terminal a picture of the volumes that are not idle, which is drawn anew
 * when something changes; elsewhere a line for each event.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl/verbs.h"
#include "ctl/volume-table.h"
#include "ctl/volume-view.h"
#include "ctl/watch.h"
#include "util/clock.h"
#include "util/text.h"

#define REDRAW_USEC UINT64_C(250000) /* at most one picture in this time */

struct monitor {
	const struct options *o;
	bool pictures;
	unsigned lines;      /* of the last picture */
	json_object *before; /* the volumes of the last look, or NULL */
	bool away;           /* the daemon, and that is told */
};

/* --- pictures --- */

static bool is_busy(json_object *volume)
{
	return strcmp(json_text(volume, "State"), "idle") != 0;
}

static unsigned count_lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static int format_picture(const struct monitor *m, json_object *volumes, FILE *out)
{
	const bool legend = !m->o->output.no_legend;
	struct table_style style = volume_table_style(legend, stdout);
	const size_t n = json_object_array_length(volumes);
	size_t idle = 0;
	int r;

	style.keep = m->o->output.columns;
	r = volume_table_print(volumes, m->o->output.columns ?: VOLUME_MONITOR_COLUMNS, is_busy,
			       &style, out);

	for (size_t i = 0; i < n; i++)
		idle += !is_busy(json_object_array_get_idx(volumes, i));
	if (legend)
		fprintf(out, "%zu of %zu volumes are idle\n", idle, n);
	return r;
}

static unsigned terminal_rows(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

/* What is above the first line of the terminal cannot be drawn over. */
static void cut_picture(char *text)
{
	const unsigned rows = terminal_rows();
	unsigned n = 0;

	for (; rows > 1 && *text; text++)
		if (*text == '\n' && ++n == rows - 1)
			text[1] = '\0';
}

/* Draws over the last picture. */
static int draw(struct monitor *m, json_object *volumes)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int r;

	if (!f)
		return -errno;
	r = format_picture(m, volumes, f);
	if (fclose(f) != 0 || r < 0)
		return r < 0 ? r : -ENOMEM;
	cut_picture(text);
	if (m->lines)
		printf("\33[%uA\33[J", m->lines);
	m->lines = count_lines(text);
	(void)fputs(text, stdout);
	return 0;
}

/* --- events --- */

static json_object *find_path(json_object *volumes, const char *path)
{
	const size_t n = volumes ? json_object_array_length(volumes) : 0;

	for (size_t i = 0; i < n; i++)
		if (strcmp(json_text(json_object_array_get_idx(volumes, i), "Path"), path) == 0)
			return json_object_array_get_idx(volumes, i);
	return NULL;
}

static int print_event(json_object *volume, const char *state)
{
	const char *reason = *state ? "" : json_text(volume, "StateReason");
	_cleanup_free_ char *title = volume_title(volume), *line = NULL, *masked = NULL;
	char when[VIEW_TEXT], done[VIEW_TEXT] = "";

	if (!title)
		return -ENOMEM;
	view_time(wall_clock_usec(), when);
	if (!*state && *json_text(volume, "Mode"))
		(void)snprintf(done, sizeof(done), " %.1f%%", view_percent(volume));
	if (asprintf(&line, "%s %s: %s%s%s%s", when, title,
		     *state ? state : json_text(volume, "State"), done, *reason ? ": " : "",
		     reason) < 0)
		return -ENOMEM;
	masked = text_masked(line);
	if (!masked)
		return -ENOMEM;
	printf("%s\n", masked);
	return 0;
}

static bool has_changed(json_object *before, json_object *now)
{
	static const char *const keys[] = {"State", "StateReason"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (strcmp(json_text(before, keys[i]), json_text(now, keys[i])) != 0)
			return true;
	return false;
}

static int tell_events(struct monitor *m, json_object *volumes)
{
	const size_t n = json_object_array_length(volumes);
	const size_t n_before = m->before ? json_object_array_length(m->before) : 0;
	int r = 0;

	for (size_t i = 0; i < n_before && r >= 0; i++) {
		json_object *v = json_object_array_get_idx(m->before, i);

		r = find_path(volumes, json_text(v, "Path")) ? 0 : print_event(v, "gone");
	}
	for (size_t i = 0; i < n && r >= 0; i++) {
		json_object *v = json_object_array_get_idx(volumes, i);
		json_object *before = find_path(m->before, json_text(v, "Path"));

		r = !before || has_changed(before, v) ? print_event(v, "") : 0;
	}
	json_object_put(m->before);
	m->before = json_object_get(volumes);
	return r;
}

/* --- the verb --- */

/* It comes back when an operator starts it, and not by this. */
static int show_none(struct monitor *m)
{
	char when[VIEW_TEXT];

	if (m->away || m->o->output.json)
		return 0;
	m->away = true;
	json_object_put(m->before); /* all is told anew when it is back */
	m->before = NULL;
	view_time(wall_clock_usec(), when);
	printf("%s recryptd does not run\n", when);
	m->lines += m->pictures;
	return fflush(stdout) == 0 ? 0 : -errno;
}

static int show_volumes(struct client *c, struct monitor *m)
{
	json_object *volumes;
	int r;

	if (c->reached && !client_has_daemon(c))
		return show_none(m);
	r = client_volumes(c, &volumes);
	if (r < 0)
		return r;
	m->away = false;
	r = m->o->output.json ? print_json(volumes, m->o->output.json, stdout)
	    : m->pictures     ? draw(m, volumes)
			      : tell_events(m, volumes);
	json_object_put(volumes);
	if (r < 0)
		return r;
	return fflush(stdout) == 0 ? 0 : -errno;
}

static int follow(struct client *c, struct volume_watch *w, struct monitor *m)
{
	for (;;) {
		uint64_t start = now_usec(), spent;
		int r = show_volumes(c, m);

		if (r < 0)
			return r;
		r = watch_wait(w, UINT64_MAX, NULL);
		if (r < 0)
			return r == -EPIPE ? 0 : r;
		spent = now_usec() - start;
		if (spent < REDRAW_USEC)
			watch_pause(REDRAW_USEC - spent);
	}
}

static bool draws_pictures(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

int verb_monitor(const struct options *o)
{
	_cleanup_(client_close) struct client c = {};
	_cleanup_(watch_close) struct volume_watch w = {};
	struct monitor m = {.o = o, .pictures = draws_pictures()};
	int r = o->output.columns ? volume_table_check(o->output.columns) : 0;

	if (r < 0)
		return r;
	r = open_client(o, &c);
	if (r < 0)
		return r;
	r = watch_start(&c, &w);
	if (r < 0)
		return r;
	w.out = stdout;
	r = follow(&c, &w, &m);
	json_object_put(m.before);
	return r;
}
