/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A private crypt mapping of a volume's data under one key: how the engine reads and writes
 * plaintext offline with a cipher that only the kernel has. (Online the stack has such mappings
 * already: stack_side_name().)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "dm/stack.h"

struct crypt_map;

/*
 * Maps [offset, offset + size) (bytes) of @data_device, which is the start of the data.
 * -EOPNOTSUPP: the kernel has no device-mapper or no crypt target; -ENOTBLK, -EINVAL: of the
 * arguments; -ENOENT, -EINVAL from the kernel: it has no such cipher; -EBUSY: something other than
 * device-mapper has claimed the device.
 */
int crypt_map_new(dev_t data_device, uint64_t offset, uint64_t size, const struct stack_side *side,
		  struct crypt_map **ret);

/* Its node, and the number that this node must have. */
const char *crypt_map_path(const struct crypt_map *m);
dev_t crypt_map_device(const struct crypt_map *m);

/*
 * To be called once it is open: from now on it goes, and gives the data device free, when it is
 * closed, also when this process is killed. The path is no longer good.
 */
int crypt_map_detach(struct crypt_map *m);

/* Removes the mapping; it must not be open any more. */
struct crypt_map *crypt_map_free(struct crypt_map *m);
DEFINE_CLEANUP(struct crypt_map, crypt_map_free)
