/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bus messages made of an input: arguments, and dictionaries of known and unknown keys. */
#pragma once

#include <systemd/sd-bus.h>

#include "fuzz.h"

/* Two ends of one connection that is set up. They stay the process's. */
void fuzz_message_buses(sd_bus **ret_client, sd_bus **ret_server);

/* Appends an a{sv}; @names: keys that somebody knows, NULL-terminated. */
void fuzz_message_append(sd_bus_message *m, struct fuzz_input *in, const char *const *names);

/* The keys of all messages between manager and worker. */
const char *const *fuzz_message_names(void);

/* A message with nothing but such a dictionary, ready to be read. */
sd_bus_message *fuzz_message_new(struct fuzz_input *in, const char *const *names);
