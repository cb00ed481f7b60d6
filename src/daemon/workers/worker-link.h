/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One worker process: started or found again, called, heard of, and mourned. What is said is what
 * proto/service-bus.h states; this is the only file but those of the bus that knows it.
 *
 *   control socket    kept in the fd store; hangs up when the worker has died
 *   connection        made anew by each manager; what comes over it ends here as values
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "pace/governor.h"
#include "proto/messages.h"
#include "util/cleanup.h"

struct worker_link;

enum worker_call {
	WORKER_CALL_LOCK,
	WORKER_CALL_STOP,
	WORKER_CALL_SET_LIMITS,
	WORKER_CALL_SET_GOVERNOR,
	WORKER_CALL_SET_IDENTITY,
	WORKER_CALL_SET_RECORD,
	WORKER_CALL_QUIT,
	WORKER_CALL_COUNT
};

/*
 * How the owner hears of things. The link may be freed in any of them. Of who
 * only looks, and calls nothing that they answer, all but ended() and died() may be NULL.
 */
struct worker_handler {
	/* A job has ended, or was not accepted. The look may be taken from @end. */
	void (*ended)(void *userdata, struct worker_end *end);
	/* The answer to worker_link_get_status(). */
	void (*status)(void *userdata, int error, const struct worker_status *status);
	/* The answer to a worker_link_call. */
	void (*replied)(void *userdata, enum worker_call call, int error, const struct failure *f);
	void (*progress)(void *userdata, const struct worker_progress *progress);
	/* Volume keys for the fd store: valid only during the call. */
	void (*keys)(void *userdata, int old_fd, int new_fd);
	/* It is gone; nothing more will come. */
	void (*died)(void *userdata);
};

struct worker_spec {
	const char *device;
	const char *header_device; /* NULL or "": on the device */
	const char *name;          /* dm name, NULL or "": closed */
	unsigned threads;          /* for ciphers and checksums, 0: one for each CPU */
	/* What the header may claim to derive a key; 0: the default. */
	uint64_t key_timeout_usec, key_memory_max; /* bytes */
	uint32_t key_cost_max;                     /* steps */
	bool allow_shared_files;                   /* that other users can change or replace */
	bool quiet; /* what it says of the device is for us alone, for the present */
};

/* Starts a worker; returns at once. @userdata is the handler's. */
int worker_link_spawn(sd_event *event, const struct worker_spec *spec,
		      const struct worker_handler *handler, void *userdata,
		      struct worker_link **ret);

/*
 * Kills the process, which nobody has asked to write: it does not answer. *ret_pidfd, which becomes
 * the caller's, is readable when it has really ended; -EBADF: it was not spawned by us.
 */
int worker_link_kill(struct worker_link *l, int *ret_pidfd);

/* Goes on with one of the fd store. Takes @control_fd. -EPIPE: it is gone. */
int worker_link_adopt(sd_event *event, int control_fd, const struct worker_handler *handler,
		      void *userdata, struct worker_link **ret);

/* Closes; unless the control socket is in the fd store the worker stops cleanly and ends. */
struct worker_link *worker_link_free(struct worker_link *l);
DEFINE_CLEANUP(struct worker_link, worker_link_free)

void worker_link_set_handler(struct worker_link *l, const struct worker_handler *handler,
			     void *userdata);

/* For the fd store; stays the link's. */
int worker_link_control_fd(const struct worker_link *l);

/*
 * Jobs: 0 when the call is sent; handler->ended() then comes once for each, also when the worker
 * refuses. One at a time, but for reverse during convert.
 */
int worker_link_inspect(struct worker_link *l);
int worker_link_unlock(struct worker_link *l, int fd, const struct unlock_options *options);
int worker_link_use_provider(struct worker_link *l, const struct provider *provider);
int worker_link_adopt_keys(struct worker_link *l, int old_fd, int new_fd);
int worker_link_check(struct worker_link *l, const struct rotate_options *options,
		      const struct run_options *run);
int worker_link_prepare(struct worker_link *l, const struct rotate_options *options,
			const struct run_options *run);
/* undo, convert, recover, reverse */
int worker_link_run(struct worker_link *l, enum worker_job job, const struct run_options *options);

/* A found worker is at @job: handler->ended() will tell of its end. */
void worker_link_expect(struct worker_link *l, enum worker_job job);

int worker_link_get_status(struct worker_link *l);
int worker_link_lock(struct worker_link *l);
int worker_link_stop(struct worker_link *l);
int worker_link_set_limits(struct worker_link *l, const struct worker_limits *limits);
int worker_link_set_governor(struct worker_link *l, const struct governor_config *governor);
int worker_link_set_record(struct worker_link *l, const char *json);
/* From now on the worker refuses all else (-ERROR_OTHER_VOLUME). An older one is none the wiser. */
int worker_link_set_identity(struct worker_link *l, const struct identity *identity);

/* Tells it to end, and closes when it has. The link is no longer the caller's. */
void worker_link_retire(struct worker_link *l);
/* At the end of the program: closes those that have not ended. */
void worker_link_free_retired(void);
