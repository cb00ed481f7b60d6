/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Signals that end a command between two of its steps, so that it can clean up behind itself: from
 * interrupt_catch() to interrupt_release() the first SIGINT, SIGTERM or SIGHUP is only noted. A
 * second one kills: the daemon may take long to answer.
 */
#pragma once

int interrupt_catch(void);
void interrupt_release(void);

/* -EINTR, which is logged: a signal came. Nothing has been changed on @device. */
int interrupt_refuse(const char *device);
