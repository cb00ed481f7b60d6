/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The stack that cryptsetup leaves under a volume when it ends, over a clean header, without taking
 * its devices away: a signal that meets it in a suspend ioctl is enough, as it takes EINTR for an
 * error.
 *
 *    NAME                          linear   all of it, to the overlay
 *    NAME-overlay                  crypt    the segments; the last hotzone by way of
 *    NAME-hotzone-forward|backward linear   all of it, to the data
 */
#pragma once

#include "dm/stack-private.h"
#include "dm/table.h"

#define SUFFIX_STOCK_OVERLAY  "-overlay"
#define SUFFIX_STOCK_FORWARD  "-hotzone-forward"
#define SUFFIX_STOCK_BACKWARD "-hotzone-backward"

/*
 * What NAME, whose table is @top, would be without that stack: crypt targets on the data. -ENOENT:
 * it has no such stack; -EBUSY: I/O waits in its hotzone, encrypted for a place that the header
 * does not know; -ENOTUNIQ: its tables are not such.
 */
int stock_stack_read(const struct stack *s, const struct table *top, struct table *ret);

/* Is one of its devices suspended, so that I/O to NAME may wait? */
int stock_stack_is_suspended(const struct stack *s, bool *ret);

/* Gives NAME @plain for its table and removes cryptsetup's devices. */
int stock_stack_dissolve(const struct stack *s, const struct table *plain);
