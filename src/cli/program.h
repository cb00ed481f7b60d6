/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How recryptctl and recrypt-worker start and end: alike, since one ends as the other does. */
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

/* recrypt-worker PROGRAM_ATTACHED FD VERB...: recryptctl has the other end of the socket FD. */
#define PROGRAM_ATTACHED "attached"

/* Level for log_init() that --verbose and --debug ask for. */
int program_log_level(const struct options *o);
