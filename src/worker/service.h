/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recrypt-worker serve: see service-bus.h for what it is told and how it ends. */
#pragma once

#include "worker/service-jobs.h"

/*
 * @argv[0] is "serve". Returns 0 or a negative errno, which has been logged; with --foreground that
 * of the job.
 */
int service_main(int argc, char **argv);
