/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What --help prints, out of the rows of options-table.c. */
#pragma once

#include <stdio.h>

#include "cli/options.h"

/* VERB_HELP: all verbs, a line each; another one: its use, its own options, an example. */
int help_print(const char *program, enum verb verb, FILE *out);
