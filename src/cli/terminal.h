/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asking a person at the terminal (/dev/tty), whatever standard input and output are. */
#pragma once

#include <stdbool.h>

#include "util/secret.h"

#define TERMINAL_LINE_MAX 512 /* bytes, as cryptsetup takes from a terminal */

/*
 * A line without its newline, not shown while it is typed. The echo comes back also when a signal
 * ends the process or stops it. @timeout in seconds, 0: none. -ENOTTY: no terminal; -EINTR: a
 * signal that the caller handles; -ETIME; -E2BIG: longer than TERMINAL_LINE_MAX.
 */
int terminal_read(const char *prompt, unsigned timeout, struct secret **ret);

/* Asks for "YES" after @question. Errors as of terminal_read(). */
int terminal_confirm(const char *question, bool *ret);
