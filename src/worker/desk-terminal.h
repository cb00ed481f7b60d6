/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Work that recryptctl waits for: keys come from files, keyrings and the terminal, a person agrees,
 * and progress goes to standard output. @stop is set by a signal.
 */
#pragma once

#include <signal.h>

#include "worker/work.h"

/* @job: of work.h. Returns what that returns; -EINTR: @stop came, and the header is clean. */
int terminal_work(const struct options *o, const volatile sig_atomic_t *stop,
		  int (*job)(struct work *w));
