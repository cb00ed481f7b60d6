/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a program with a command line starts, and where the worker is. */
#pragma once

#include <stddef.h>

#include "cli/options.h"

/*
 * Standard streams, the command line, and a log as detailed as that asks for. What is wrong has
 * been logged where that was possible; errors as of options_parse().
 */
int program_start(int argc, char **argv, struct options *ret);

/*
 * Where recrypt-worker is: of a build tree when this program, DIR/src/FOLDER/NAME, is, else as
 * installed. -ENAMETOOLONG.
 */
int program_find_worker(char *path, size_t size);

/* Level for log_init() that --verbose and --debug ask for. */
int program_log_level(const struct options *o);
