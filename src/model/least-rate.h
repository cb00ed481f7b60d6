/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The least rate that anybody may ask for: on a command line, in the configuration, over the bus.
 * Less is a slip, of who meant 20M and wrote 20, and the work would take weeks. (And a signal does
 * not end the wait that a hotzone costs: with this rate that is an eighth of a second, and a second
 * under the governor.) A rate that a header or a state file has from before is taken as it is.
 */
#pragma once

#include <stdint.h>

#define LEAST_RATE UINT64_C(65536) /* bytes/s */

#define LEAST_RATE_TEXT 96

/* For tests, in which a hotzone is to take hours. */
void least_rate_set(uint64_t rate);

/*
 * -EINVAL: it is too low, and @text says so and what may have been meant. 0, which is no limit, is
 * not.
 */
int least_rate_check(uint64_t rate, char text[static LEAST_RATE_TEXT]);
