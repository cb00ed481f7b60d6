/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A slot of the volume: what holds for it by its configuration, or since a caller said so. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/rotation.h"

struct volume;

struct volume_settings {
	char *group;                /* of the configuration; "" */
	uint64_t rate_limit;        /* bytes/s of this volume, 0: none (the host's still holds) */
	bool rate_set;              /* through the bus */
	uint64_t stall_target_usec; /* of the configuration, 0: none */
	struct run_options run;     /* of the rotation that is there, or would be */
};

void settings_free(struct volume_settings *s);

void volume_apply_config(struct volume *v);
/* The rate of its record, or as configured. */
void volume_apply_rate(struct volume *v);
/* A caller has set one, or wants what is configured. */
void volume_choose_rate(struct volume *v, bool has_rate);
/* What the rotation that is there says, and what it leaves to the configuration. */
void volume_apply_run(struct volume *v);
