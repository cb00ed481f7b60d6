/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One request in work, for service-jobs.c and service-plan.c. */
#pragma once

#include "worker/service-jobs.h"
#include "worker/steps.h"

struct work {
	struct service_volume *v;
	const struct work_request *request;
	struct report *report;
	struct options options;
	struct steps steps;
};

/* Opens the volume with all keys that the worker holds for it. -ERROR_HEADER_CHANGED: the header is
 * an older one.
 */
int work_open_steps(struct work *w);
/* Keeps the keys that the steps have found, and offers them to the manager. */
int work_hold_keys(struct work *w);
/* -ENOKEY, which is logged. */
int work_refuse_locked(const struct work *w);
/* -ERROR_HEADER_CHANGED, which is logged: the header is older than the one that the manager has
 * seen. */
int work_check_newer(const struct work *w);

/* Check() and Prepare(): service-plan.c. */
int work_check(struct work *w);
int work_prepare(struct work *w);
/* The answer to a check is the volume as it would be. */
void work_show_plan(struct report *report);
