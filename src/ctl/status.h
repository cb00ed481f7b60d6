/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recryptctl status: needs no key, writes nothing, waits for no lock. */
#pragma once

#include <stdio.h>

#include "worker/options.h"

/* Failures are logged; a negative errno for exit_code(). */
int status_print(const struct options *o, FILE *out);
