/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The first look at a device, by a worker of its own: is there a volume that we do not know yet?
 * A few run at once; the others wait.
 */
#pragma once

#include <stdbool.h>

#include "daemon/control/manager.h"

/* What is looked at, and for whom. Strings are copied. */
struct probe_spec {
	const char *device;
	const char *header_device; /* or NULL */
	const char *name;          /* or NULL */
	const char *uuid;          /* that it must have, or NULL */
	bool quiet;                /* it may well be no volume at all */
	bool remember;             /* it is to be known after a restart as well */
	volume_done_t done;        /* or NULL */
	void *userdata;
};

int probe_new(struct manager *m, const struct probe_spec *spec);

/* The same with a worker of the fd store, which may be at work. Takes @control_fd. */
int probe_adopt(struct manager *m, const char *uuid, int control_fd);

/* What has not answered by now keeps neither the others nor the service manager waiting. */
void probe_wait_no_longer(struct manager *m);

/* Whoever waits is answered so. */
void probe_end_all(struct manager *m, int error, const struct failure *f);
void probe_free_all(struct manager *m);

/*
 * Takes the pidfd of a process that was killed since it did not answer. While it has not ended (a
 * kill does not end every system call) it counts as one of the few that may hang.
 */
void probe_count_killed(struct manager *m, int pidfd);
