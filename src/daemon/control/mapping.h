/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a mapping that has come, or has gone, means for the volume on it. Pure. */
#pragma once

#include <stdbool.h>

#include "daemon/control/volume.h"
#include "daemon/state/config.h"

enum mapping_step {
	MAPPING_NOTHING,
	MAPPING_PROBE,  /* nobody knows the volume yet: its device is looked at */
	MAPPING_REMOVE, /* nothing is known of it but that it was open */
	MAPPING_LOOK,   /* the header is looked at again, and with it what the volume is open as */
};

/* The LUKS UUID of the mapping with @dm_uuid. -EINVAL: it is no volume's. */
int mapping_uuid(const char *dm_uuid, char ret[static 37]);

/*
 * @v: the volume with that UUID, or NULL; @name: of the mapping; @c: what is configured; @absent:
 * the volume is known, and awaited. One that the configuration names is found by that, if it can
 * be.
 */
enum mapping_step mapping_decide(const struct volume *v, const struct volume_config *c,
				 const char *name, bool absent, bool gone);
