/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ctrl-C and the like while somebody is asked, or the daemon works for us: the verb ends in order,
 * says so, and takes back what it has given to the daemon.
 */
#pragma once

#include <signal.h>

/* From here on SIGINT, SIGTERM and SIGHUP set what is returned, and do not kill. */
const volatile sig_atomic_t *interrupt_catch(void);

/* From here on they kill again. */
void interrupt_release(void);
