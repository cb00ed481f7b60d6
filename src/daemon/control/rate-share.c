/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the workers are told of how fast they may be: shares of the host's rate, and the governor.
 */
#include <assert.h>
#include <stdlib.h>

#include "daemon/control/core.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/log.h"

static void send_limits(struct volume *v, uint64_t rate)
{
	const struct volume_config *config = config_for_volume(v->manager->config, v->uuid);
	const struct worker_limits limits = {
		.rate = rate,
		.hotzone_max = config->hotzone_size_max,
		.stall_target_usec = config->stall_target_usec,
	};

	if (worker_slot_tell_limits(&v->worker, &limits) < 0)
		log_warning("%s: its worker cannot be told of its limits", v->place.device);
}

static void send_governor(struct volume *v)
{
	struct governor_config g = config_for_volume(v->manager->config, v->uuid)->polite.governor;

	g.rate_min = MAX(g.rate_min, v->clock.rate_floor);
	if (worker_slot_tell_governor(&v->worker, &g) < 0)
		log_warning("%s: its worker cannot be told of the governor", v->place.device);
}

void manager_share_rate(struct manager *m)
{
	_cleanup_free_ uint64_t *limits = NULL, *shares = NULL;
	size_t n = 0, i = 0;

	for (const struct schedule_entry *e = m->core->convert.first; e; e = e->next)
		n += e->running;
	limits = calloc(n + 1, sizeof(*limits));
	shares = calloc(n + 1, sizeof(*shares));
	if (!limits || !shares) {
		log_error("out of memory: the rates stay as they are");
		return;
	}
	for (const struct schedule_entry *e = m->core->convert.first; e; e = e->next)
		if (e->running)
			limits[i++] = ((const struct volume *)e->owner)->settings.rate_limit;
	assert(i == n);
	schedule_share(m->rate_limit, limits, shares, n);
	i = 0;
	for (const struct schedule_entry *e = m->core->convert.first; e; e = e->next)
		if (e->running) {
			send_limits(e->owner, shares[i++]);
			send_governor(e->owner);
		}
}
