/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A method call that changes something, from its arrival to its answer. Nothing of it blocks:
 *
 *   arrived -- arguments wrong, or too many calls of its sender --> refused
 *      |
 *   who is it? -- uid 0, or our own --+
 *      |                              |
 *   too many calls of this user ------|--> refused
 *      |                              |
 *   polkit: may he? -- no ------------|--> refused
 *      |                              v
 *      +-- yes --------------------> run ----> answered, at once or when the manager is done
 *
 * The superuser is not asked about, and neither is who runs the daemon: that is how a daemon works
 * without polkit, in a rescue system or on a private bus. Everybody else is refused there.
 *
 * A call with a RequestId that was accepted before gets that answer, once it is known that its
 * caller may make it.
 *
 * Polkit may ask a person, who may never answer. So a call that waits keeps its arguments and not
 * its message; it ends with its caller's connection, or after CALL_WAIT_USEC. One user cannot take
 * the places of all: each has a few, and where all places are taken, the user with most of
 * them loses the one that waits longest.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "daemon/bus/bus-arguments.h"
#include "daemon/bus/bus-internal.h"
#include "daemon/control/volume.h"

#define CALLS_PER_SENDER 16 /* not answered yet */
#define CALLS_PER_USER   16 /* polkit is asked about them */
#define CALLS_WAITING    96 /* of all users: the bus lets a connection wait for 128 answers */
/* The one action whose text names a device that is not known yet. */
#define ACTION_ADD_VOLUME "org.recryptd1.add-volume"
/* A person may have to find a password. */
#define CALL_WAIT_USEC (UINT64_C(300) * 1000000)

enum call_state {
	CALL_ASKS_UID,
	CALL_ASKS_POLKIT,
	CALL_RUNS,
};

struct call {
	struct bus *bus;
	struct call *next, *previous; /* from the newest to the oldest */
	enum call_state state;
	uid_t uid;               /* once the bus has said it */
	sd_bus_message *message; /* its head alone, for the answer */
	struct arguments arguments;
	sd_bus_slot *slot; /* of the question that is open; NULL: none */
	uint64_t question; /* what polkit calls it, once it is asked */
	const struct verb *verb;
	struct request_id request; /* once it runs; "": none */
};

/*
 * @parse fills the arguments or refuses; texts may point into the message. @run answers the call
 * with call_reply_*() or by handing it on to a verb of the manager; or it returns a negative errno
 * with the failure filled. @a is there until it returns.
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
/* It has made this job, or has the one that was there. */
void call_reply_job(struct call *c, const struct job *j);
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
