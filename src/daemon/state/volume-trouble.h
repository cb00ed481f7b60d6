/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A slot of the volume: what a person has to see to before the work goes on. */
#pragma once

#include <stdbool.h>

#include "daemon/policy/volume-plan.h"
#include "daemon/state/failure.h"

struct volume_trouble {
	enum volume_trouble_kind kind;
	struct failure failure; /* unless there is none */
};

/* The re-encryption cannot go on. A conflict stays: it explains that. */
void trouble_failed(struct volume_trouble *t, const struct failure *f);
/* The header does not belong to the record. */
void trouble_conflict(struct volume_trouble *t, const struct failure *f);
bool trouble_is_conflict(const struct volume_trouble *t);
/* The failure is over, or is tried again; a conflict is not over by that. */
void trouble_forgive(struct volume_trouble *t);
void trouble_clear(struct volume_trouble *t);
