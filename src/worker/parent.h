/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The recryptctl that has started this worker, and waits for it. */
#pragma once

/*
 * From here on the kernel sends SIGTERM to this process when the other end of the socket @fd is
 * closed, as the kernel closes it when recryptctl dies, whatever recryptctl dies of. Takes @fd
 * over.
 */
int parent_watch(int fd);
