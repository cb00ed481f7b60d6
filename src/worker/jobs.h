/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a worker is started for. Each job is one verb of the command line, from the look at the
 * volume to the last message; each returns 0 or a negative errno, which has been logged.
 */
#pragma once

#include <signal.h>

#include "cli/options.h"

/* Begins a re-encryption or goes on with one, to the end or until @stop. */
int job_reencrypt(const struct options *o, const volatile sig_atomic_t *stop);

/* Makes a hot header clean, and stops. */
int job_recover(const struct options *o, const volatile sig_atomic_t *stop);

/* Turns around: what was converted goes back to the old key. */
int job_cancel(const struct options *o, const volatile sig_atomic_t *stop);
