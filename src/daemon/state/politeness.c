/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/politeness.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/state/config-internal.h"

const struct politeness politeness_defaults = {
	.governor = {.mode = GOVERNOR_NONE,
		     .rate_min = GOVERNOR_DEFAULT_RATE_MIN,
		     .latency_target = GOVERNOR_DEFAULT_LATENCY_TARGET},
};

#define ROW(name, kind, field) CONFIG_ROW(politeness, name, kind, field)

const struct config_row politeness_rows[] = {
	[POLITENESS_GOVERNOR] = {ROW("Governor", CONFIG_NAME, governor.mode),
				 .names = governor_mode_names, .n_names = GOVERNOR_LATENCY + 1},
	[POLITENESS_RATE_MIN] = {ROW("RateMin", CONFIG_RATE, governor.rate_min)},
	[POLITENESS_RATE_MAX] = {ROW("RateMax", CONFIG_RATE, governor.rate_max)},
	[POLITENESS_LATENCY_TARGET] = {ROW("LatencyTarget", CONFIG_TIME, governor.latency_target),
				       .least = 1},
	[POLITENESS_WINDOW] = {ROW("Window", CONFIG_WINDOW, windows)},
	[POLITENESS_DEADLINE] = {ROW("Deadline", CONFIG_DEADLINE, deadline)},
	[POLITENESS_SETTINGS] = {},
};

/* One more; an empty value takes back those that there are. */
static int add_window(struct politeness *p, const char *value)
{
	struct window w, *grown;
	int r;

	if (!*value) {
		p->n_windows = 0;
		return 0;
	}
	r = window_parse(value, &w);
	if (r < 0)
		return r;
	assert(p->n_windows <= WINDOWS_MAX);
	if (p->n_windows == WINDOWS_MAX)
		return -E2BIG;
	grown = reallocarray(p->windows, p->n_windows + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	p->windows = grown;
	p->windows[p->n_windows++] = w;
	return 0;
}

int politeness_set(struct politeness *p, const char *key, const char *value)
{
	const struct config_row *row = config_row_find(politeness_rows, key);
	int r;

	if (!row)
		return -ENOENT;
	if (row->kind == CONFIG_WINDOW)
		r = add_window(p, value);
	else if (row->kind == CONFIG_DEADLINE)
		r = deadline_parse(value, &p->deadline);
	else
		r = config_row_set(row, p, value);
	if (r < 0)
		return r;
	p->set |= UINT32_C(1) << (row - politeness_rows);
	return 0;
}

bool politeness_has(const struct politeness *p, enum politeness_setting setting)
{
	return p->set & UINT32_C(1) << setting;
}

static int copy_windows(struct politeness *p, const struct politeness *from)
{
	struct window *copy = NULL;

	if (from->n_windows > 0) {
		copy = calloc(from->n_windows, sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, from->windows, from->n_windows * sizeof(*copy));
	}
	free(p->windows);
	p->windows = copy;
	p->n_windows = from->n_windows;
	return 0;
}

int politeness_inherit(struct politeness *p, const struct politeness *defaults)
{
	if (!politeness_has(p, POLITENESS_GOVERNOR))
		p->governor.mode = defaults->governor.mode;
	if (!politeness_has(p, POLITENESS_RATE_MIN))
		p->governor.rate_min = defaults->governor.rate_min;
	if (!politeness_has(p, POLITENESS_RATE_MAX))
		p->governor.rate_max = defaults->governor.rate_max;
	if (!politeness_has(p, POLITENESS_LATENCY_TARGET))
		p->governor.latency_target = defaults->governor.latency_target;
	if (!politeness_has(p, POLITENESS_DEADLINE))
		p->deadline = defaults->deadline;
	return politeness_has(p, POLITENESS_WINDOW) ? 0 : copy_windows(p, defaults);
}

void politeness_clear(struct politeness *p)
{
	free(p->windows);
	p->windows = NULL;
	p->n_windows = 0;
}
