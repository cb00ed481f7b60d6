/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of the disk over io_uring have in common; each step must succeed. */
#pragma once

#include <stddef.h>

#include "io/disk-uring.h"

/* Anonymous memory: pages, so aligned as a request's buffer must be. */
void *buffers_new(size_t size);
int open_direct(const char *path);
struct disk *disk_of(int fd);
