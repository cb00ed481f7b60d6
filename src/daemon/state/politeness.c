/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/politeness.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/state/config.h"
#include "util/checked.h"

const struct politeness politeness_defaults = {
	.governor = {.mode = GOVERNOR_NONE,
		     .rate_min = GOVERNOR_DEFAULT_RATE_MIN,
		     .latency_target = GOVERNOR_DEFAULT_LATENCY_TARGET},
};

enum politeness_setting { GOVERNOR, RATE_MIN, RATE_MAX, LATENCY_TARGET, WINDOW, DEADLINE };

static const char *const names[] = {
	[GOVERNOR] = "Governor", [RATE_MIN] = "RateMin",
	[RATE_MAX] = "RateMax",  [LATENCY_TARGET] = "LatencyTarget",
	[WINDOW] = "Window",     [DEADLINE] = "Deadline",
};

static int set_latency(uint64_t *target, const char *value)
{
	uint64_t usec;
	int r = config_parse_usec(value, &usec);

	if (r < 0 || !usec)
		return r < 0 ? r : -EINVAL;
	*target = usec;
	return 0;
}

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
	size_t setting = 0;
	int r;

	while (setting < ARRAY_SIZE(names) && strcmp(names[setting], key) != 0)
		setting++;
	switch (setting) {
	case GOVERNOR:
		r = governor_mode_parse(value, &p->governor.mode);
		break;
	case RATE_MIN:
		r = config_parse_rate(value, &p->governor.rate_min);
		break;
	case RATE_MAX:
		r = config_parse_rate(value, &p->governor.rate_max);
		break;
	case LATENCY_TARGET:
		r = set_latency(&p->governor.latency_target, value);
		break;
	case WINDOW:
		r = add_window(p, value);
		break;
	case DEADLINE:
		r = deadline_parse(value, &p->deadline);
		break;
	default:
		return -ENOENT;
	}
	if (r < 0)
		return r;
	p->set |= UINT32_C(1) << setting;
	return 0;
}

static bool has(const struct politeness *p, enum politeness_setting setting)
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
	if (!has(p, GOVERNOR))
		p->governor.mode = defaults->governor.mode;
	if (!has(p, RATE_MIN))
		p->governor.rate_min = defaults->governor.rate_min;
	if (!has(p, RATE_MAX))
		p->governor.rate_max = defaults->governor.rate_max;
	if (!has(p, LATENCY_TARGET))
		p->governor.latency_target = defaults->governor.latency_target;
	if (!has(p, DEADLINE))
		p->deadline = defaults->deadline;
	return has(p, WINDOW) ? 0 : copy_windows(p, defaults);
}

void politeness_clear(struct politeness *p)
{
	free(p->windows);
	p->windows = NULL;
	p->n_windows = 0;
}
