/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the working thread of a service does: one request after the other, by the jobs of work.h.
 */
#pragma once

#include "worker/control.h"
#include "worker/held-keys.h"
#include "worker/record-keys.h"

struct service_volume {
	const struct work_options *base; /* device, header, active name, device size, identity */
	struct identity identity;        /* of the present job */
	struct control *control;
	struct held_keys keys;
	struct record_keys record_keys; /* of @header's digests, as far as @keys has them */
	struct look look;               /* the last one */
	struct luks_header *header;
	int error; /* of a run in the foreground, for who has not heard how it ended */
};

/* Serves requests until control_quit(). */
void service_work(struct service_volume *v);
