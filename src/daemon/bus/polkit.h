/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asks who sent a message, and polkit whether he may. Both answers come later. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/* The slot is the caller's: unref drops the question. */
int ask_sender_uid(sd_bus_message *m, sd_bus_message_handler_t then, void *userdata,
		   sd_bus_slot **ret);
/* The uid out of the answer; -ESRCH: the sender is gone. */
int read_sender_uid(sd_bus_message *answer, uint32_t *ret);

/* What the message of the action, and rules, may name: valid text, masked for a terminal. */
struct polkit_details {
	char volume[256]; /* "home (/dev/sdb2)", "all volumes" */
	const char *uuid; /* "" where it is not about one known volume */
	char device[256]; /* the same */
};

/*
 * Whether polkit may ask a person is up to the flag ALLOW_INTERACTIVE_AUTHORIZATION of @m.
 * @question is a number of its own for each, for cancel_polkit().
 */
int ask_polkit(sd_bus_message *m, const char *action, const struct polkit_details *details,
	       uint64_t question, uint64_t timeout_usec, sd_bus_message_handler_t then,
	       void *userdata, sd_bus_slot **ret);
/*
 * 0: he may. -EACCES: he may not. -ENOKEY: he would have to authenticate, and may not be asked.
 * -ENOSYS: there is no polkit. -ETIMEDOUT: no answer. Others: it could not be asked.
 */
int read_polkit(sd_bus_message *answer);
/* Nobody waits for the answer any more: polkit asks the person no longer. */
void cancel_polkit(sd_bus_message *m, uint64_t question);
