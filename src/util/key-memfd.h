/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Secrets that come and go as descriptors: a volume key in a memfd, which the manager puts
 * into systemd's fd store without ever looking into it, and a passphrase from a pipe or memfd.
 */
#pragma once

#include <stdint.h>

#include "util/secret.h"

/*
 * A memfd with @key, the caller's to close: of memory that is never swapped (memfd_secret(2)) where
 * the kernel has it, else a sealed one.
 */
int key_memfd_new(const struct secret *key, int *ret);

/* The key out of either, of @max bytes at most. -ENODATA: empty; -EFBIG; -ENODEV: no memory. */
int key_memfd_read(int fd, size_t max, struct secret **ret);

/*
 * A secret for the process at the other end of a socket, at once and whole; the caller's to close.
 * What is small goes by a pipe, whose pages are never swapped, on any kernel; the rest as by
 * key_memfd_new().
 */
int secret_to_fd(const struct secret *s, int *ret);
/* Of @max bytes at most; may be empty. -EFBIG; -ETIMEDOUT: no secret_to_fd() has made it. */
int secret_from_fd(int fd, size_t max, struct secret **ret);

/*
 * All that @fd has to give, to its end: from the start of a memfd or file, from where a pipe or
 * socket stands. At most @max bytes, and until @deadline (as of now_usec()) or until @stop_fd can
 * be read from (-1: there is none). Nothing at all is the empty passphrase. -EFBIG: more than @max;
 * -ETIMEDOUT, -ECANCELED.
 */
int secret_read_fd(int fd, int stop_fd, size_t max, uint64_t deadline, struct secret **ret);
