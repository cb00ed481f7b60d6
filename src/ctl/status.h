/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recryptctl status: needs no key, writes nothing, waits for no lock. */
#pragma once

#include <json-c/json.h>
#include <stdio.h>

#include "cli/options.h"

/*
 * @daemon: what the daemon says of the volume, NULL: nothing. Failures are logged; a negative errno
 * for exit_code().
 */
int status_print(const struct options *o, json_object *daemon, FILE *out);
