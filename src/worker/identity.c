/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/identity.h"

#include <errno.h>

#include "util/error.h"
#include "util/log.h"
#include "util/uuid.h"

static int check_node(struct node wanted, struct node found, const char *path)
{
	char was[NODE_TEXT_SIZE], is[NODE_TEXT_SIZE];

	if (!node_is_known(wanted) || node_equal(wanted, found))
		return 0;
	return log_refusal(-ERROR_OTHER_VOLUME,
			   "%s: another device is there now: %s, and the volume was on %s; nothing "
			   "was changed",
			   path, node_text(found, is), node_text(wanted, was));
}

int identity_check_place(const struct work_options *o, const struct luks_place *p)
{
	int r;

	if (!o->target.identity)
		return 0;
	r = check_node(o->target.identity->data, p->data.identity.node, p->data.path);
	if (r < 0)
		return r;
	return check_node(o->target.identity->header, p->header.identity.node, p->header.path);
}

int identity_check_uuid(const struct work_options *o, const char *found, const char *path)
{
	const char *wanted = o->target.identity ? o->target.identity->uuid : "";

	if (!*wanted || uuid_equal(wanted, found))
		return 0;
	return log_refusal(-ERROR_OTHER_VOLUME,
			   "%s: another volume is there now: its UUID is %.40s, and the job is for "
			   "%s; nothing was changed",
			   path, found, wanted);
}
