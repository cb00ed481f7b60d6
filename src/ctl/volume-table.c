/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/volume-table.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl/client.h"
#include "ctl/volume-view.h"
#include "util/checked.h"
#include "util/log.h"

#define BAR_WIDTH   20U
#define COLUMNS_MAX 16

/* --- texts, the caller's to free; NULL: out of memory --- */

char *volume_title(json_object *volume)
{
	const char *name = json_text(volume, "Name"), *device = json_text(volume, "Device");
	const char *slash = strrchr(device, '/');

	return strdup(*name ? name : slash && slash[1] ? slash + 1 : device);
}

static char *device_of(json_object *v)
{
	return strdup(json_text(v, "Device"));
}

static char *state_of(json_object *v)
{
	return strdup(json_text(v, "State"));
}

static char *uuid_of(json_object *v)
{
	return strdup(json_text(v, "UUID"));
}

static char *group_of(json_object *v)
{
	return strdup(json_text(v, "Group"));
}

static char *reason_of(json_object *v)
{
	return strdup(json_text(v, "StateReason"));
}

static char *size_of(json_object *v)
{
	char text[VIEW_TEXT];

	view_bytes(json_number(v, "BytesTotal"), text);
	return strdup(text);
}

static char *done_of(json_object *v)
{
	char text[VIEW_TEXT] = "-";

	if (*json_text(v, "Mode") || strcmp(json_text(v, "State"), "finishing") == 0)
		(void)snprintf(text, sizeof(text), "%.1f%%", view_percent(v));
	return strdup(text);
}

static char *rate_text(json_object *v, const char *key)
{
	char text[VIEW_TEXT] = "-";

	if (json_number(v, key))
		view_rate(json_number(v, key), text);
	return strdup(text);
}

static char *rate_of(json_object *v)
{
	return rate_text(v, "Rate");
}

static char *limit_of(json_object *v)
{
	return rate_text(v, "RateLimit");
}

static char *left_of(json_object *v)
{
	char text[VIEW_TEXT];

	view_time_left(v, text);
	return strdup(text);
}

static char *stall_of(json_object *v)
{
	char text[VIEW_TEXT] = "-";

	if (json_number(v, "LongestStall"))
		(void)snprintf(text, sizeof(text), "%.0f ms",
			       (double)json_number(v, "LongestStall") / 1000);
	return strdup(text);
}

static char *progress_of(json_object *v)
{
	const unsigned full = (unsigned)(view_percent(v) / 100 * BAR_WIDTH);
	char text[BAR_WIDTH + 3];

	for (unsigned i = 0; i < BAR_WIDTH; i++)
		text[1 + i] = i < full ? '#' : '-';
	text[0] = '[';
	text[BAR_WIDTH + 1] = ']';
	text[BAR_WIDTH + 2] = '\0';
	return strdup(text);
}

/* --- columns --- */

static const struct volume_column {
	struct table_column column;
	char *(*text)(json_object *volume);
} known[] = {
	{{.head = "NAME", .cut = true}, volume_title},
	{{.head = "STATE"}, state_of},
	{{.head = "SIZE", .right = true, .spare = 4}, size_of},
	{{.head = "DONE", .right = true}, done_of},
	{{.head = "RATE", .right = true, .spare = 2}, rate_of},
	{{.head = "LIMIT", .right = true, .spare = 6}, limit_of},
	{{.head = "LEFT", .right = true, .spare = 1}, left_of},
	{{.head = "DEVICE", .cut = true, .spare = 5}, device_of},
	{{.head = "PROGRESS", .spare = 3}, progress_of},
	{{.head = "STALL", .right = true, .spare = 7}, stall_of},
	{{.head = "UUID", .cut = true}, uuid_of},
	{{.head = "GROUP", .cut = true}, group_of},
	{{.head = "REASON", .cut = true}, reason_of},
};

static const struct volume_column *find_column(const char *name, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strlen(known[i].column.head) == size &&
		    strncasecmp(known[i].column.head, name, size) == 0)
			return &known[i];
	return NULL;
}

static int refuse_column(const char *name, size_t size)
{
	char names[256] = "";

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		(void)snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
			       i ? ", " : "", known[i].column.head);
	return log_refusal(-EINVAL, "there is no column \"%.*s\"; there are: %s", (int)size, name,
			   names);
}

int volume_table_check(const char *columns)
{
	size_t n = 0;

	for (;; columns++) {
		const size_t size = strcspn(columns, ",");

		if (!find_column(columns, size))
			return refuse_column(columns, size);
		if (++n > COLUMNS_MAX)
			return log_refusal(-EINVAL, "--columns takes at most %d columns",
					   COLUMNS_MAX);
		columns += size;
		if (!*columns)
			return 0;
	}
}

static size_t parse_columns(const char *columns, const struct volume_column **ret)
{
	size_t n = 0;

	for (;; columns++) {
		const size_t size = strcspn(columns, ",");

		assert(n < COLUMNS_MAX);
		ret[n++] = find_column(columns, size);
		columns += size;
		if (!*columns)
			return n;
	}
}

/* What a person has to look at. */
static const char *colour_of(json_object *v)
{
	const char *state = json_text(v, "State");

	if (strcmp(state, "failed") == 0)
		return "31";                               /* red */
	return strcmp(state, "locked") == 0 ? "33" : NULL; /* yellow */
}

static int add_volume(struct text_table *t, const struct volume_column *const *columns, size_t n,
		      json_object *v)
{
	int r = table_add_row(t, colour_of(v));

	for (size_t i = 0; i < n && r >= 0; i++) {
		_cleanup_free_ char *text = columns[i]->text(v);

		r = text ? table_set(t, i, text) : -ENOMEM;
	}
	return r;
}

static int fill(struct text_table *t, const struct volume_column *const *columns, size_t n,
		json_object *volumes, bool (*wanted)(json_object *volume))
{
	for (size_t i = 0; i < json_object_array_length(volumes); i++) {
		json_object *v = json_object_array_get_idx(volumes, i);
		int r = !wanted || wanted(v) ? add_volume(t, columns, n, v) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

int volume_table_print(json_object *volumes, const char *columns,
		       bool (*wanted)(json_object *volume), const struct table_style *style,
		       FILE *out)
{
	const struct volume_column *chosen[COLUMNS_MAX] = {};
	const struct table_column *heads[COLUMNS_MAX] = {};
	const size_t n = parse_columns(columns, chosen);
	struct text_table *t = NULL;
	int r;

	for (size_t i = 0; i < n; i++)
		heads[i] = &chosen[i]->column;
	r = table_new(heads, n, &t);
	if (r < 0)
		return r;
	r = fill(t, chosen, n, volumes, wanted);
	if (r >= 0)
		r = table_print(t, style, out);
	table_free(t);
	return r;
}

struct table_style volume_table_style(bool legend, FILE *out)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	struct table_style style = {.legend = legend};
	struct winsize size;

	if (!isatty(fileno(out)))
		return style;
	if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0)
		style.width = size.ws_col;
	style.colour = !(no_colour && *no_colour) && term && *term && strcmp(term, "dumb") != 0;
	return style;
}
