/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Work that has been ordered over the connection (work.h). The manager's order says what may be
 * lost, and the keys are those that the service holds. A run in the foreground asks whoever has
 * ordered it. Progress, limits and the record go through struct control.
 */
#pragma once

#include "luks/bindings.h"
#include "worker/service-watch.h"
#include "worker/work.h"

struct desk_work {
	struct service_volume *v;
	struct report *report;
	bool foreground;                            /* somebody answers questions */
	struct work_options options;                /* the service's, with those of the order */
	struct secret *volume_key, *new_volume_key; /* that were given */
	struct luks_bindings bindings;              /* named to who is asked */
	struct watch watch;
	bool shows_progress; /* of the conversion that is watched */
	struct work work;
};

/* Sets up ret->work by ret->options, which the caller sets; to be closed. */
void desk_work_init(struct desk_work *ret, struct service_volume *v, struct report *report,
		    bool foreground);
void desk_work_close(struct desk_work *m);
