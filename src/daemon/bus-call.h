/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A method call that changes something, from its arrival to its answer. Nothing of it blocks:
 *
 *   arrived -- arguments wrong or too many calls --> refused
 *      |
 *   who is it? -- uid 0, or our own --+
 *      |                              |
 *   polkit: may he? -- no --> refused |
 *      |                              v
 *      +-- yes --------------------> run ----> answered, at once or when the manager is done
 *
 * The superuser is not asked about, and neither is who runs the daemon: that is how a daemon works
 * without polkit, in a rescue system or on a private bus. Everybody else is refused there.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-bus.h>

#include "daemon/bus-internal.h"
#include "daemon/volume.h"

/* A client that wants more than this at a time is refused, and so are all together. */
#define CALLS_PER_SENDER 16
#define CALLS_MAX        4096

/* Arguments of any verb, read from the message; text points into the message. */
struct arguments {
	const char *text;
	const char *header_device, *name;
	const char *group, *state;
	const char *volumes[64 + 1]; /* NULL-terminated */
	uint64_t rate;
	int fd; /* the message's */
	struct rotate_options rotate;
	struct unlock_options unlock;
	struct resume_options resume;
	struct run_choices cancel;
};

struct call {
	struct bus *bus;
	struct call *next, *previous;
	sd_bus_message *message;
	sd_bus_slot *slot; /* of the question that is open; NULL: none */
	const struct verb *verb;
};

/*
 * @parse fills the arguments or refuses, and is called twice: before the caller is asked about (so
 * that garbage is not kept), and after. @run answers the call with call_reply_*() or by handing it
 * on to a verb of the manager; or it returns a negative errno with the failure filled.
 */
struct verb {
	const char *member;
	const char *action; /* of polkit */
	int (*parse)(sd_bus_message *m, struct arguments *a, struct failure *f);
	int (*run)(struct call *c, const struct arguments *a, struct failure *f);
};

/* For a handler of a vtable: takes the call over. */
int call_begin(struct bus *b, sd_bus_message *m, const struct verb *verb, sd_bus_error *error);

/* Each answers and frees the call. */
void call_reply(struct call *c);
void call_reply_path(struct call *c, const char *path);
void call_reply_failure(struct call *c, int error, const struct failure *f);
/* The reply, to be filled and given to call_reply_message(); NULL: the call has ended. */
sd_bus_message *call_new_reply(struct call *c);
void call_reply_message(struct call *c, sd_bus_message *reply, int error);

/* A volume_done_t that answers the call @userdata without a value. */
void call_done(struct volume *v, int error, const struct failure *f, void *userdata);

/* Drops those that wait for an answer about their sender; those that the manager has stay. */
void calls_drop_questions(struct bus *b);
void calls_free(struct bus *b);

/* The error with our name and text, for a handler of a vtable; @error is returned. */
int set_failure(sd_bus_error *ret, int error, const struct failure *f);
