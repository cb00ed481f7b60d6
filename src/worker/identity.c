/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/identity.h"

#include <errno.h>

#include "util/log.h"
#include "util/uuid.h"

static int check_node(struct node wanted, struct node found, const char *path)
{
	char was[NODE_TEXT_SIZE], is[NODE_TEXT_SIZE];

	if (!node_is_known(wanted) || node_equal(wanted, found))
		return 0;
	return log_refusal(-EOTHERVOLUME,
			   "%s: another device is there now: %s, and the volume was on %s; nothing "
			   "was changed",
			   path, node_text(found, is), node_text(wanted, was));
}

int identity_check_data(const struct options *o, struct node found, const char *path)
{
	return o->identity ? check_node(o->identity->data, found, path) : 0;
}

int identity_check_header(const struct options *o, struct node found, const char *path)
{
	return o->identity ? check_node(o->identity->header, found, path) : 0;
}

int identity_check_uuid(const struct options *o, const char *found, const char *path)
{
	const char *wanted = o->identity ? o->identity->uuid : "";

	if (!*wanted || uuid_equal(wanted, found))
		return 0;
	return log_refusal(-EOTHERVOLUME,
			   "%s: another volume is there now: its UUID is %.40s, and the job is for "
			   "%s; nothing was changed",
			   path, found, wanted);
}
