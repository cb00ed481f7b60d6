/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recryptd: options, the event loop, and the end. */
#include <stdlib.h>

#include "daemon/manager.h"
#include "util/io.h"
#include "util/log.h"

static int run(void)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(manager_freep) struct manager *m = NULL;
	static const struct manager_options options = {.config_path =
							       "/etc/recryptd/recryptd.conf"};
	int r;

	r = sd_event_default(&event);
	if (r >= 0)
		r = manager_new(event, &options, &m);
	if (r >= 0)
		r = manager_start(m);
	if (r >= 0)
		r = sd_event_loop(event);
	return r;
}

int main(void)
{
	if (open_standard_streams() < 0)
		return EXIT_FAILURE;
	log_init("recryptd", LOG_INFO);
	return run() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
