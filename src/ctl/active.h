/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mapping of an open volume: from its name to its device, and whether it fits its header. */
#pragma once

#include <stddef.h>

#include "ctl/status-format.h"
#include "dm/find.h"
#include "luks/status.h"

/*
 * The path of the device with the encrypted data below the open LUKS2 volume @name. -ENODEV: there
 * is no open LUKS2 volume of this name.
 */
int active_data_device(const char *name, char *path, size_t size);

/* @data is the number of the device with the encrypted data; 0: it is in an image file. */
enum status_table active_compare(const struct active_volume *v, const struct luks_status *s,
				 dev_t data);
