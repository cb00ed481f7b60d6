/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Work that the manager has ordered: keys are those that the service holds, the order says what may
 * be lost, and progress, limits and the record go through struct control.
 */
#pragma once

#include "worker/service-watch.h"
#include "worker/work.h"

struct manager_work {
	struct service_volume *v;
	struct report *report;
	struct options options; /* the service's, with those of the order */
	struct watch watch;
	struct work work;
};

/* Sets up ret->work by ret->options, which the caller has set; to be closed with work_close(). */
void manager_work_init(struct manager_work *ret, struct service_volume *v, struct report *report);
