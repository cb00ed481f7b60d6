/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The one owner of all that recryptd knows: the event loop, the configuration, the volumes, the
 * jobs, the schedule. Everything runs in the loop and nothing blocks it; one thread, no locks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "daemon/state/failure.h"
#include "daemon/state/job.h"
#include "daemon/control/volume.h"
#include "util/cleanup.h"

struct config;

/* Bits of what has changed, for the observer. */
#define MANAGER_CHANGED_RATE_LIMIT   UINT64_C(1)
#define MANAGER_CHANGED_VOLUMES      UINT64_C(2)
#define MANAGER_CHANGED_JOBS_RUNNING UINT64_C(4)

/*
 * How the bus layer hears of things; members may be NULL. Changes of a volume are collected and
 * told once in a turn of the loop, those of a job at once; added comes before, removed after all
 * else about an object. An observer may call verbs, but not from removed.
 */
struct manager_observer {
	void (*ready)(struct manager *m, void *userdata); /* once: manager_is_ready() */
	void (*manager_changed)(struct manager *m, uint64_t what, void *userdata);
	void (*volume_added)(struct volume *v, void *userdata);
	void (*volume_changed)(struct volume *v, uint64_t what, void *userdata);
	void (*volume_removed)(struct volume *v, void *userdata);
	void (*job_added)(struct job *j, void *userdata);
	void (*job_changed)(struct job *j, uint64_t what, void *userdata);
	void (*job_removed)(struct job *j, void *userdata);
	void *userdata;
};

/* Paths; strings stay the caller's and must outlive the manager. */
struct manager_options {
	const char *config_path; /* recryptd.conf */
	const char *state_dir;   /* where the state file is; NULL: nothing is remembered */
	bool no_devices; /* look at no dm table and no udev: for tests beside a live system */
};

struct manager {
	/* For everybody to read. */
	sd_event *event;
	const struct manager_options *options;
	struct config *config;
	uint64_t rate_limit; /* bytes/s for the host, 0: none */
	size_t n_volumes;
	struct volume *volumes; /* list, by volume->next */
	struct jobs jobs;
	bool stopping; /* no new work */

	/* The core's own. */
	struct manager_core *core;
};

/* Reads the configuration; looks at nothing yet. @options and @event: see above. */
int manager_new(sd_event *event, const struct manager_options *options, struct manager **ret);

/* Forgets without stopping: workers go on. */
struct manager *manager_free(struct manager *m);
DEFINE_CLEANUP(struct manager, manager_free)

/* One observer; set before manager_start(). */
void manager_set_observer(struct manager *m, const struct manager_observer *observer);

/*
 * Adopts workers of the fd store, begins to discover volumes; the rest happens in the loop. The
 * service manager is told that we are ready when all of that is known, or after 10 s. It does not
 * wait for what stands in crypttab.
 */
int manager_start(struct manager *m);

/* The first look at all devices is over, or takes too long. */
bool manager_is_ready(const struct manager *m);

/* Stops all workers at a hotzone boundary; @done is called when none is left. */
void manager_stop(struct manager *m, void (*done)(void *userdata), void *userdata);

/* Reads the configuration again and applies what changed without disturbing work in hand. */
int manager_reload(struct manager *m, struct failure *f);

/*
 * By UUID, dm name (also /dev/mapper/NAME), path or tag of the device (util/device-name.h), or the
 * name that crypttab has for it.
 */
int manager_find_volume(struct manager *m, const char *what, struct failure *f,
			struct volume **ret);
struct volume *manager_volume_by_uuid(struct manager *m, const char *text);
/* The same, but none that is absent. */
struct volume *manager_present_volume(struct manager *m, const char *uuid);
/*
 * By a path that is known to lead to its device: what a worker found, what the configuration says,
 * a link of udev. Only texts are compared: a path that somebody names may lie on a dead mount. One
 * that is there comes before one that is remembered there.
 */
struct volume *manager_volume_by_path(struct manager *m, const char *path);
struct job *manager_job_by_id(struct manager *m, uint64_t id);

struct add_options {
	const char *header_device; /* or NULL */
	const char *name;          /* dm name of the open mapping, or NULL: found by itself */
};

/*
 * Looks at the device through a worker; done with the volume, which may have been known before.
 * It is remembered over restarts. @options may be NULL.
 */
int manager_add_volume(struct manager *m, const char *device, const struct add_options *options,
		       struct failure *f, volume_done_t done, void *userdata);

/*
 * Busy while it is at work; and without @force while it is half converted, or in the configuration.
 * One that is active, or configured, comes back with the next start.
 */
int manager_remove_volume(struct manager *m, struct volume *v, bool force, struct failure *f);

/* Which volumes the verbs for many are about; NULL members match all. */
struct volume_filter {
	const char *group;
	const char *state;        /* name of a state */
	const char *const *uuids; /* NULL-terminated */
};
bool volume_filter_matches(const struct volume_filter *filter, const struct volume *v);

/*
 * Prepares all that match, and converts when all are prepared; if one cannot be, the prepared ones
 * are undone and the job fails with that one's failure. NotFound where none matches.
 */
int manager_rotate_all(struct manager *m, const struct volume_filter *filter,
		       const struct rotate_options *options, struct failure *f,
		       struct job **ret_job);

/*
 * All that match and are in re-encryption; *ret_count of them. Done with a NULL volume when all
 * are, with the first failure.
 */
int manager_suspend_all(struct manager *m, const struct volume_filter *filter, const char *reason,
			struct failure *f, volume_done_t done, void *userdata, size_t *ret_count);
int manager_resume_all(struct manager *m, const struct volume_filter *filter,
		       const struct resume_options *options, struct failure *f, volume_done_t done,
		       void *userdata, size_t *ret_count);

/*
 * Bytes per second for the host, 0: none, RATE_AS_CONFIGURED: what the configuration says;
 * remembered over restarts (KeepRate=). -EINVAL: less than anybody may ask for.
 */
int manager_set_rate_limit(struct manager *m, uint64_t rate, struct failure *f);
