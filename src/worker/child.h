/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A process of the same program that does one thing which may never come to an end, and that is
 * killed then: it asks a key provider (provider.h), or derives a key (derive.h). It reads its input
 * from one pipe, if it has any, and answers on another.
 *
 * It dies with its parent, its memory is locked and cannot be looked into, and the kernel ends it
 * first when memory runs out.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "luks/place.h"
#include "util/secret.h"

/* In the process. */
#define CHILD_OUTPUT_FD 3
#define CHILD_INPUT_FD  4 /* closed without input */
#define CHILD_DATA_FD   5 /* of a place: for luks_place_adopt() */
#define CHILD_HEADER_FD 6

/*
 * Runs this program with @argv until it closes its output. @input may be NULL; so may
 * @place, whose files it gets. *ret_said gets what
 * it said until then (@said_max bytes at most), NULL: nothing, also with an error. -ETIMEDOUT: not
 * before @deadline (now_usec()); -ECANCELED: not before @stop_fd could be read from.
 */
int child_run(const char *const *argv, const struct secret *input, const struct luks_place *place,
	      int stop_fd, uint64_t deadline, size_t said_max, struct secret **ret_said);

/* In the process, first of all. Logs failures. */
int child_protect(void);

/* Writes to CHILD_OUTPUT_FD. */
int child_say(const void *data, size_t size);
