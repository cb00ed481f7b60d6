/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Volumes are found by themselves: those of the configuration, those of crypttab(5), and LUKS2
 * mappings that are open. udev says when that changes; in between nothing is looked at.
 */
#pragma once

#include <stdbool.h>

#include "daemon/control/manager.h"
#include "util/cleanup.h"

struct discover;

/*
 * Looks once, and listens from then on (not with options->no_devices). Logs what cannot be done.
 * The entries of crypttab are added once the file is read; nothing waits for them.
 */
int discover_new(struct manager *m, struct discover **ret);
struct discover *discover_free(struct discover *d);
DEFINE_CLEANUP(struct discover, discover_free)

/* Is crypttab being read, which may name more volumes? @d may be NULL. */
bool discover_is_reading(const struct discover *d);

/* Those that are open, once more. @d may be NULL. */
void discover_mappings(struct discover *d);

/* After the configuration has changed: looks for what it names, and reads crypttab, once more. */
void discover_configured(struct discover *d);
