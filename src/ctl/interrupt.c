/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include "util/checked.h"
#include "util/log.h"

static const int caught[] = {SIGINT, SIGTERM, SIGHUP};

static volatile sig_atomic_t interrupted;
static struct sigaction before[ARRAY_SIZE(caught)];
static size_t n_caught;

static void note(int signal)
{
	(void)signal;
	interrupted = 1;
}

int interrupt_catch(void)
{
	const struct sigaction act = {.sa_handler = note, .sa_flags = (int)SA_RESETHAND};

	for (n_caught = 0; n_caught < ARRAY_SIZE(caught); n_caught++) {
		if (sigaction(caught[n_caught], NULL, &before[n_caught]) < 0)
			return -errno;
		/* What nohup(1) has switched off stays so. */
		if (before[n_caught].sa_handler != SIG_IGN &&
		    sigaction(caught[n_caught], &act, NULL) < 0)
			return -errno;
	}
	return 0;
}

void interrupt_release(void)
{
	while (n_caught > 0) {
		n_caught--;
		(void)sigaction(caught[n_caught], &before[n_caught], NULL);
	}
}

int interrupt_refuse(const char *device)
{
	return interrupted ? log_refusal(-EINTR, "%s: interrupted; nothing was changed", device)
			   : 0;
}
