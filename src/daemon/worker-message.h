/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The a{sv} of proto/service-bus.h as structs, and back. Unknown entries are passed over. */
#pragma once

#include <systemd/sd-bus.h>

#include "daemon/worker-link.h"

/* Each reads one a{sv}. -ENOMEM, or what sd-bus says of a message that is not as stated. */
int worker_message_read_end(sd_bus_message *m, struct worker_end *end);
int worker_message_read_status(sd_bus_message *m, struct worker_status *ret);
int worker_message_read_progress(sd_bus_message *m, struct worker_progress *ret);

/* Each appends one a{sv}. */
int worker_message_append_rotate(sd_bus_message *m, const struct rotate_options *options,
				 const struct run_options *run);
int worker_message_append_run(sd_bus_message *m, const struct run_options *run);
int worker_message_append_unlock(sd_bus_message *m, const struct unlock_options *options);
int worker_message_append_identity(sd_bus_message *m, const struct identity *identity);
int worker_message_append_provider(sd_bus_message *m, const struct provider *provider);
