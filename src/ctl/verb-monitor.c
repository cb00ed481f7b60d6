/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recryptctl monitor: a view of all volumes that is drawn anew when something changes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl/verbs.h"
#include "ctl/volume-view.h"
#include "ctl/watch.h"
#include "util/clock.h"

#define REDRAW_USEC UINT64_C(250000) /* at most one picture in this time */

static unsigned terminal_columns(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 100;
}

/* Draws a line for each volume that is not idle. */
static int draw_bars(json_object *volumes, unsigned *lines, size_t *idle)
{
	const unsigned columns = terminal_columns();

	for (size_t i = 0; i < json_object_array_length(volumes); i++) {
		json_object *v = json_object_array_get_idx(volumes, i);
		int r;

		if (strcmp(json_text(v, "State"), "idle") == 0) {
			++*idle;
			continue;
		}
		r = view_bar(v, columns, stdout);
		if (r < 0)
			return r;
		++*lines;
	}
	return 0;
}

/* Draws over the last picture, of *@lines lines. */
static int draw(json_object *volumes, bool terminal, unsigned *lines)
{
	size_t idle = 0;
	int r;

	if (terminal && *lines)
		printf("\33[%uA\33[J", *lines);
	*lines = 0;
	r = draw_bars(volumes, lines, &idle);
	printf("%zu of %zu volumes are idle\n", idle, json_object_array_length(volumes));
	++*lines;
	if (r < 0)
		return r;
	return fflush(stdout) == 0 ? 0 : -errno;
}

static int show_volumes(struct client *c, const struct options *o, bool terminal, unsigned *lines)
{
	json_object *volumes;
	int r = client_volumes(c, &volumes);

	if (r < 0)
		return r;
	r = o->output.json ? print_json(volumes, o->output.json, stdout)
			   : draw(volumes, terminal, lines);
	json_object_put(volumes);
	return r;
}

int verb_monitor(const struct options *o)
{
	_cleanup_(client_close) struct client c = {};
	_cleanup_(watch_close) struct volume_watch w = {};
	bool terminal = isatty(STDOUT_FILENO);
	unsigned lines = 0;
	int r;

	r = open_client(o, &c);
	if (r < 0)
		return r;
	r = watch_start(&c, &w);
	if (r < 0)
		return r;
	w.out = stdout;
	for (;;) {
		uint64_t start = now_usec(), spent;

		r = show_volumes(&c, o, terminal, &lines);
		if (r < 0)
			return r;
		r = watch_wait(&w, UINT64_MAX, NULL);
		if (r < 0)
			return r == -EPIPE ? 0 : r;
		spent = now_usec() - start;
		if (spent < REDRAW_USEC)
			watch_pause(REDRAW_USEC - spent);
	}
}
