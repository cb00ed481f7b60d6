/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/control/mapping.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dm/names.h"
#include "util/uuid.h"

/* "CRYPT-LUKS2-<32 digits>-<name>" */
int mapping_uuid(const char *dm_uuid, char ret[static 37])
{
	const size_t prefix = strlen(UUID_VOLUME);
	char text[37];

	if (strncmp(dm_uuid, UUID_VOLUME, prefix) != 0 || strnlen(dm_uuid + prefix, 33) < 33)
		return -EINVAL;
	dm_uuid += prefix;
	(void)snprintf(text, sizeof(text), "%.8s-%.4s-%.4s-%.4s-%.12s", dm_uuid, dm_uuid + 8,
		       dm_uuid + 12, dm_uuid + 16, dm_uuid + 20);
	return uuid_canonical(text, ret);
}

enum mapping_step mapping_decide(const struct volume *v, const struct volume_config *c,
				 const char *name, bool absent, bool gone)
{
	if (!v)
		return gone || (c->device && !absent) ? MAPPING_NOTHING : MAPPING_PROBE;
	if (gone && v->status.state == VOLUME_IDLE && !c->device)
		return MAPPING_REMOVE;
	return gone != (strcmp(v->place.name, name) != 0) ? MAPPING_LOOK : MAPPING_NOTHING;
}
