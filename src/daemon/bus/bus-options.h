/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The options of methods, a{sv}, with what is wrong in them as a failure; see model/settings-bus.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "daemon/state/accepted.h"
#include "daemon/state/failure.h"
#include "daemon/control/volume.h"
#include "model/settings.h"

/* Of a method that has none. */
extern const struct setting no_settings[];

/* Reads the dictionary that comes next in @m into @out. An errno, with the failure filled. */
int read_options(sd_bus_message *m, const struct setting *rows, void *out, struct failure *f);

/* Of a method that has none but RequestId. */
int read_request_id(sd_bus_message *m, struct request_id *id, struct failure *f);

/* Those of Rotate(), Resume() and Cancel(), and RequestId; @id NULL: a method without. */
int read_rotate_options(sd_bus_message *m, struct rotate_options *out, struct request_id *id,
			struct failure *f);
int read_resume_options(sd_bus_message *m, struct resume_options *out, struct request_id *id,
			struct failure *f);
int read_cancel_options(sd_bus_message *m, struct run_choices *out, struct request_id *id,
			struct failure *f);

/* The reason of a suspension; a text of the message. */
int read_reason(sd_bus_message *m, struct failure *f, const char **ret);

/* Arguments in front of the options, as of sd_bus_message_read(). */
int read_arguments(sd_bus_message *m, struct failure *f, const char *types, ...);

/* As Rotate() was given them; NULL is an empty dictionary. */
int append_rotate_options(sd_bus_message *m, const struct rotate_options *o);
