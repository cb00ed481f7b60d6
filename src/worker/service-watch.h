/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What goes on beside a conversion: progress out; stop, limits and the record in. All of it on the
 * working thread, between hotzones.
 */
#pragma once

#include "worker/governed.h"
#include "worker/service-jobs.h"
#include "worker/steps.h"

struct watch {
	struct service_volume *v;
	struct conversion_watch watch;
	struct governed governed;
	const char *path;         /* in messages */
	bool steps_back;          /* what was said of the governor last */
	void (*ended)(void *arg); /* as in struct conversion_watch; NULL: nobody cares */
	void *ended_arg;
	bool counts;          /* from @start, where this run has begun, in bytes; */
	uint64_t start, paid; /* @paid of earlier runs are what the rate has counted before */
};

void watch_init(struct watch *w, struct service_volume *v, const struct work_volume *volume);
void watch_end(struct watch *w);

/* Puts @text into the header while no job runs, and reports it under @serial. */
void watch_set_record_at_rest(struct service_volume *v, const char *text, uint64_t serial);

/*
 * Microseconds that converting @volume would take: from the speed at which a piece of it can be
 * read, written once for each read, and from the limit. 0: not to be told.
 */
uint64_t watch_estimate(struct service_volume *v, const struct work_volume *volume);
