/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recryptctl wait: until the work on all volumes, or on those that are named, is over. */
#include "ctl/verbs.h"

int verb_wait(const struct options *o)
{
	_cleanup_(client_close) struct client c = {};
	char **paths;
	int r = open_client(o, &c);

	if (r < 0)
		return r;
	r = o->target.device ? find_volumes(&c, o, &paths) : find_all_volumes(&c, o, &paths);
	if (r < 0)
		return r;
	r = wait_for_volumes(&c, o, paths);
	client_free_paths(paths);
	return r;
}
