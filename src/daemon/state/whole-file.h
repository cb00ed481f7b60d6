/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Small files of the state directory, which are read whole and replaced whole:
 *
 *     write NEW -> fsync NEW -> rename NEW -> fsync the directory
 *
 * After a power cut at any of these the old file is there, or the new one.
 */
#pragma once

#include <stddef.h>

/* -EFBIG: more than @max bytes, or no regular file; -ENOMEM, and what the kernel says. */
int whole_file_read(const char *path, size_t max, char **ret);

/* Durable on return. A negative errno. */
int whole_file_replace(const char *path, const char *text);

/* Makes durable that @path has its name: flushes the directory that it is in. */
int whole_file_flush_name(const char *path);
