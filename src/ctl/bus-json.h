/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What stands in a message, as JSON: dictionaries as objects, structs and arrays as arrays. */
#pragma once

#include <json-c/json.h>
#include <systemd/sd-bus.h>

/* The next value of @m, whatever its type; the caller's to put. -EBADMSG, -ENOMEM. */
int json_from_message(sd_bus_message *m, json_object **ret);
