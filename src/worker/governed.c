/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/governed.h"

#include <assert.h>
#include <errno.h>

#include "dm/task.h"
#include "util/checked.h"
#include "util/clock.h"
#include "util/log.h"

/* So often at most, microseconds. */
#define LOOK_USEC UINT64_C(100000)

static int open_load(struct governed *g)
{
	struct device_info info;
	int r = task_info(g->name, &info);

	if (r < 0)
		return r;
	return info.exists ? load_open(info.device, &g->load) : -ENODEV;
}

static bool have_load(struct governed *g)
{
	if (!g->opened) {
		int r = open_load(g);

		if (r < 0)
			(void)log_warning_errno(r,
						"%s: the load of applications cannot be seen: "
						"the governor does nothing",
						g->name);
		g->opened = true;
	}
	return g->load.stat_fd >= 0;
}

/* What has come since @last. Counters that went back are of a device that was made anew. */
static uint64_t since(uint64_t last, uint64_t now)
{
	return now > last ? now - last : 0;
}

static void take_sample(struct governed *g, const struct governor_config *config,
			uint64_t converted, uint64_t now)
{
	struct load_figures f;
	struct governor_sample sample;

	assert(config->mode != GOVERNOR_NONE && g->load.stat_fd >= 0);
	if (load_read(&g->load, &f) < 0)
		return;
	if (g->last_usec > 0) {
		sample = (struct governor_sample){
			.usec = now - g->last_usec,
			.requests = since(g->last.requests, f.requests),
			.waited_usec = since(g->last.waited_usec, f.waited_usec),
			.pressure_usec = since(g->last.pressure_usec, f.pressure_usec),
			.in_flight = f.in_flight,
			.converted = since(g->last_converted, converted),
		};
		g->rate = governor_update(&g->governor, config, &sample);
	} else {
		g->rate = MAX(config->rate_min, GOVERNOR_RATE_MIN);
	}
	g->last = f;
	g->last_usec = now;
	g->last_converted = converted;
}

uint64_t governed_rate(struct governed *g, const struct governor_config *config, uint64_t converted)
{
	const uint64_t now = now_usec();

	if (!g->name || config->mode == GOVERNOR_NONE || !have_load(g)) {
		*g->reason = '\0';
		return 0;
	}
	if (now - g->last_usec >= LOOK_USEC)
		take_sample(g, config, converted, now);
	governor_reason(&g->governor, config, g->reason, sizeof(g->reason));
	return g->rate;
}

/* Each hotzone has its flushes, so who steps back makes one a second and not eight. */
uint64_t governed_hotzone(uint64_t governed, struct rate *rate)
{
	return governed > 0 && governed == rate_get(rate) ? governed : rate_hotzone(rate);
}
