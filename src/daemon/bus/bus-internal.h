/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the bus layer share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "daemon/bus/bus.h"
#include "daemon/control/manager.h"
#include "model/bus-text.h"

struct call;

struct bus {
	struct manager *manager; /* NULL: only to be introspected */
	sd_bus *bus;             /* NULL: not connected */
	struct inhibit *inhibit; /* NULL without a bus */
	bool callers_may_come;   /* the name is asked for, on each connection */
	sd_event_source *retry;  /* connects again */
	sd_event_source *flush;  /* progress that was held back */
	struct event_queue *events;
	struct call *calls;   /* not answered yet */
	sd_bus_slot *leaving; /* hears of connections that end, while calls wait to be allowed */
};

/* Of one volume, at its bus_slot: what keeps its progress signals apart. */
struct volume_slot {
	struct bus *bus;
	bool held;          /* progress that is not told yet */
	uint64_t told_usec; /* monotonic, when progress was last told */
};

/* Path of an object; of a volume with _ for each - of the UUID. */
struct object_path {
	char text[80];
};
struct object_path volume_path(const char *uuid);
struct object_path job_path(const struct job *j);
struct object_path job_path_of(uint64_t id);
/* Of its volume; "/" where it has several. */
struct object_path job_volume_path(const struct job *j);

/* NULL: there is none. */
struct volume *volume_at(const struct bus *b, const char *path);
struct job *job_at(const struct bus *b, const char *path);

/* The vtables, and the verbs behind them. */
int bus_add_objects(struct bus *b, sd_bus *bus); /* all of these: */
int bus_add_manager(struct bus *b, sd_bus *bus);
int bus_add_volumes(struct bus *b, sd_bus *bus);
int bus_add_jobs(struct bus *b, sd_bus *bus);

/* Handles all methods of a volume, for its vtable. */
int volume_on_verb(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* GetConfiguration() of a volume, or with NULL of the host. */
int bus_get_configuration(sd_bus_message *m, struct manager *manager, const struct volume *v,
			  sd_bus_error *error);
/* History() of the manager, for its vtable. */
int manager_on_history(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* The head of a function that reads (or writes) a property, for a vtable. */
#define DEFINE_GETTER(name)                                                                        \
	static int name(__attribute__((unused)) sd_bus *bus,                                       \
			__attribute__((unused)) const char *path,                                  \
			__attribute__((unused)) const char *interface,                             \
			__attribute__((unused)) const char *property,                              \
			__attribute__((unused)) sd_bus_message *reply,                             \
			__attribute__((unused)) void *userdata,                                    \
			__attribute__((unused)) sd_bus_error *error)

/*
 * For the lines of model/properties.h: an entry of a vtable. @from is the getter and the offset;
 * what no change announces is constant.
 */
#define PROPERTY_OF(...) SD_BUS_PROPERTY(__VA_ARGS__)
#define PROPERTY_FLAGS(group)                                                                      \
	((group) ? SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE : SD_BUS_VTABLE_PROPERTY_CONST)

/* The head of a node enumerator; @userdata is the bus. */
#define DEFINE_ENUMERATOR(name)                                                                    \
	static int name(__attribute__((unused)) sd_bus *bus,                                       \
			__attribute__((unused)) const char *prefix, void *userdata, char ***ret,   \
			__attribute__((unused)) sd_bus_error *error)

/* What an enumerator lists. */
struct path_list {
	char **paths;
	size_t n;
	int error; /* of an addition */
};

void path_list_add(struct path_list *l, const struct object_path *path);
/* Hands the list over, or frees it: 0 or a negative errno, for the enumerator to return. */
int path_list_end(struct path_list *l, char ***ret);

/* One entry of an a{sv}. @type is a basic type; for "s", @value points to the text itself. */
struct entry {
	const char *key, *type;
	const void *value;
};

int append_entries(sd_bus_message *m, const struct entry *entries, size_t n);
/* For a value of any type: the caller appends the value between these two. */
int entry_open(sd_bus_message *m, const char *key, const char *type);
int entry_close(sd_bus_message *m);

/* For vtables: @userdata points to a char * or to an array of char. */
int get_text_pointer(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *userdata, sd_bus_error *error);
/* The same of a path, as util/path-text.h writes it. */
int get_path_pointer(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *userdata, sd_bus_error *error);
int bus_append_path(sd_bus_message *m, const char *path);
int get_text_array(sd_bus *bus, const char *path, const char *interface, const char *property,
		   sd_bus_message *reply, void *userdata, sd_bus_error *error);

/* Emits PropertiesChanged of what the bits of VOLUME_CHANGED_* name. */
void volume_emit(struct volume *v, uint64_t what);

/* All of the job that may change. */
void job_emit(struct bus *b, const struct job *j);

/* Appends the name on the bus of the error, "" where it is 0. */
int append_error_name(sd_bus_message *m, int error, const struct failure *f);

/* A signal that cannot be sent is no failure of what it is about; it is logged. */
void told(struct bus *b, int error);
