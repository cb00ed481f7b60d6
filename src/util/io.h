/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading and writing files whole: short transfers and EINTR are gone on with. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* All @size bytes, or a negative errno; -ENODATA where the file ends before. */
int pread_full(int fd, void *buf, size_t size, uint64_t offset);
int pwrite_full(int fd, const void *buf, size_t size, uint64_t offset);

/*
 * The text of a small file that the kernel makes (sysfs, procfs, cgroupfs), which comes in one
 * piece, from its start; what does not fit into the @size bytes of @buf (at least 2) with its '\0'
 * is left out.
 */
int read_kernel_text(int fd, char *buf, size_t size);

/*
 * Opens /dev/null for each of standard input, output and error that the caller has closed. A device
 * that is opened later could take its number, and messages would be written to it.
 */
int open_standard_streams(void);
