/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Work without the daemon: a worker of recryptctl's own, which is told what to do by the messages
 * of proto/service-bus.h. The worker asks; passphrases, agreement and progress are for this
 * process.
 */
#pragma once

#include "cli/options.h"
#include "proto/messages.h"

/*
 * For reencrypt, recover and cancel. A negative errno, or the exit code of a worker that could not
 * say how it ended; failures have been logged. Where the worker was killed, it is not returned
 * from.
 */
int run_in_foreground(const struct options *o);

/* The order for it. Texts stay those of @o. */
void foreground_order_fill(const struct options *o, struct foreground_order *ret);
