/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/control/crypttab-names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

static struct crypttab_name *free_name(struct crypttab_name *n)
{
	free(n->name);
	free(n->device);
	free(n);
	return NULL;
}

void crypttab_names_clear(struct crypttab_names *n)
{
	while (n->first) {
		struct crypttab_name *first = n->first;

		n->first = first->next;
		(void)free_name(first);
	}
}

int crypttab_names_add(struct crypttab_names *names, const struct crypttab_entry *e)
{
	struct crypttab_name **end = &names->first, *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->name = strdup(e->name);
	n->device = strdup(e->device);
	if (!n->name || !n->device) {
		(void)free_name(n);
		return -ENOMEM;
	}
	while (*end)
		end = &(*end)->next;
	*end = n;
	return 0;
}

void crypttab_names_found(struct crypttab_names *names, const char *device, const char *uuid)
{
	for (struct crypttab_name *n = names->first; n; n = n->next)
		if (strcmp(n->device, device) == 0)
			(void)text_copy(n->uuid, sizeof(n->uuid), uuid);
}

const char *crypttab_names_uuid(const struct crypttab_names *names, const char *name)
{
	for (const struct crypttab_name *n = names->first; n; n = n->next)
		if (strcmp(n->name, name) == 0)
			return n->uuid;
	return "";
}
