/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The first look at a device, by a worker of its own: is there a volume that we do not know yet?
 * A few run at once; the others wait. What a look means is the owner's business.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "daemon/state/failure.h"
#include "daemon/workers/stuck.h"
#include "daemon/workers/worker-link.h"

struct volume; /* known here by its address alone */
struct probe;

typedef void (*probe_done_t)(struct volume *v, int error, const struct failure *f, void *userdata);

/* What is looked at, and for whom. Strings are copied. */
struct probe_spec {
	const char *device;
	const char *header_device; /* or NULL */
	const char *name;          /* or NULL */
	const char *uuid;          /* that it must have, or NULL */
	const char *mapping;       /* under which it is open; NULL: not known */
	bool quiet;                /* it may well be no volume at all */
	bool remember;             /* it is to be known after a restart as well */
	probe_done_t done;         /* or NULL; for the owner to call */
	void *userdata;
};

/* What a look has shown. */
struct probe_found {
	struct probe_spec spec; /* no string of it is NULL */
	bool adopted;
	struct worker_link *link; /* NULL once the owner has taken it */
	struct worker_end *end;
	int status_error; /* of the status: what an adopted worker is doing */
	const struct worker_status *status;
};

/* How the owner hears of them. */
struct probe_owner {
	/* How a worker is started for the volume ("": any); the devices are left out. */
	struct worker_spec (*worker)(void *userdata, const char *uuid);
	/* A device that does not answer is given up after this; microseconds. */
	uint64_t (*timeout)(void *userdata);
	/* The volume that need not be looked at again, or NULL. */
	struct volume *(*known)(void *userdata, const struct probe_spec *spec);
	/* 0, and the volume that it is; or a negative errno with @f filled. */
	int (*found)(void *userdata, struct probe_found *found, struct failure *f,
		     struct volume **ret);
	/* The last word about it. @v: NULL with an error. */
	void (*ended)(void *userdata, const struct probe_spec *spec, struct volume *v, int error,
		      const struct failure *f);
	/* There are fewer of them, or they wait no longer. */
	void (*changed)(void *userdata);
};

struct probes {
	sd_event *event;
	struct stuck *stuck;
	const struct probe_owner *owner;
	void *userdata;
	struct probe *first;
	bool hurried; /* no other one waits for those that have not answered */
	bool closed;  /* none is begun any more */
};

int probe_new(struct probes *ps, const struct probe_spec *spec);

/* The same with a worker of the fd store, which may be at work. Takes @control_fd. */
int probe_adopt(struct probes *ps, const char *uuid, int control_fd);

/* What has not answered by now keeps neither the others nor the service manager waiting. */
void probe_wait_no_longer(struct probes *ps);

/* From here on none is begun. */
void probe_close(struct probes *ps);
/* Whoever waits is answered so. */
void probe_end_all(struct probes *ps, int error, const struct failure *f);
void probe_free_all(struct probes *ps);
