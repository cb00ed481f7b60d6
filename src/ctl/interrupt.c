/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/interrupt.h"

#include <stddef.h>

#include "util/checked.h"

static volatile sig_atomic_t stop;

static void on_stop(int signal)
{
	(void)signal;
	stop = 1;
}

static void handle(void (*handler)(int))
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	const struct sigaction act = {.sa_handler = handler};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaction(signals[i], &act, NULL);
}

const volatile sig_atomic_t *interrupt_catch(void)
{
	handle(on_stop);
	return &stop;
}

void interrupt_release(void)
{
	handle(SIG_DFL);
}
