/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The world around a manager, as data: disks with their LUKS2 headers, worker processes, the fd
 * store, and what the host remembers of each volume. The manager is the real one; this file's
 * functions stand in for daemon/workers/worker-link.h, store.h, remembered.h, duplicates.h,
 * discover.h and events.h.
 *
 *     caller ---> manager ---> link ---> inbox [worker] header
 *                    ^                              |
 *                    '------- outbox <--------------'
 *
 * A call waits in the worker's inbox until the worker reads it, and a message in the outbox until
 * the manager hears it. The test decides when, and whether one of them is killed before.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/control/core.h"

#define DISKS_MAX   3
#define WORKERS_MAX 64 /* at once, those whose death nobody has heard of included */
#define QUEUE_MAX   32
#define HOTZONES    2U /* of each volume */
#define TOKEN_MAX   4096

/* What is durable on a disk. */
struct header {
	enum reencryption state;
	bool backward;
	bool stacked;  /* helper devices lie under the mapping: in the kernel, not on disk */
	unsigned done; /* hotzones */
	char old_side[33], new_side[33];
	uint64_t sequence;
	char token[TOKEN_MAX];
	bool is_signed;
};

struct disk {
	char uuid[37], path[16];
	unsigned number;
	struct header header;
	struct worker *locked_by; /* the re-encryption lock */
	unsigned keys_made;
	bool unlocked_by_person; /* and so may keep a worker with keys */
};

#define KEYSLOTS      UINT32_C(3) /* bit n: keyslot n, of each disk */
#define WRONG_KEYSLOT 9           /* named to unlock: the secret opens nothing */

enum call_kind { CALL_JOB, CALL_SIMPLE, CALL_STATUS };

struct call {
	enum call_kind kind;
	enum worker_job job;   /* of CALL_JOB */
	enum worker_call call; /* of CALL_SIMPLE */
	struct run_options run;
	bool wrong;     /* of unlock: no keyslot opens with it */
	uint32_t opens; /* of unlock: bit n: keyslot n */
	bool loses;     /* of a rotation: keyslots may be lost */
	char side[33];  /* of adopted keys: what they were made for */
	char *text;     /* of SetRecord() */
};

enum said_kind { SAID_ENDED, SAID_REPLIED, SAID_STATUS, SAID_PROGRESS, SAID_KEYS };

struct message {
	enum said_kind kind;
	struct worker_end end;
	enum worker_call call;
	int error;
	struct failure failure;
	struct worker_status status;
	struct worker_progress progress;
	char side[33]; /* of keys */
};

struct worker {
	unsigned number;
	unsigned manager; /* that started it, counted from 1 */
	struct disk *disk;
	struct worker_link *link; /* NULL: nobody is connected */
	bool alive;
	bool quit, stop;
	bool keys, keys_in_use;
	uint32_t opened; /* bit n: keyslot n, by the keys */
	bool kept_keys;  /* for the next connection */
	char kept_side[33];
	enum worker_job job, after; /* as GetStatus() says */
	struct run_options run;
	struct header seen; /* with its last look */
	bool looked, converting;
	uint64_t known_sequence; /* of the header that it works on */
	char *record;
	unsigned record_calls; /* that wait for it */
	struct call inbox[QUEUE_MAX], requests[QUEUE_MAX];
	unsigned n_inbox, n_requests;
	struct message outbox[QUEUE_MAX];
	unsigned n_outbox;
	struct call current; /* in work, where @at > 0 */
	unsigned at;
};

struct worker_link {
	struct worker *worker;
	const struct worker_handler *handler;
	void *userdata;
	bool expected[WORKER_JOB_COUNT];
	bool retired;
	bool heard; /* of its death */
	struct worker_link *next;
};

struct world {
	struct disk disk[DISKS_MAX];
	unsigned n_disks;
	struct worker worker[WORKERS_MAX];
	unsigned n_workers;
	struct worker_link *links;
	bool keyslots;     /* a rotation needs the passphrases of all of them */
	int provider;      /* what the provider of keys answers: 0 or a negative errno */
	bool hung;         /* a worker has not answered for seconds, as if its disk did not */
	unsigned managers; /* that there have been */
	bool upgrades;     /* each is of another version than the one before */
};

extern struct world world;

/* A host with @n disks, of one volume each, and nothing in the fd store. */
void world_reset(unsigned n);
/* Frees all; fails where a descriptor or link is left that somebody should have closed. */
void world_free(void);
/* The power fails: no process and no descriptor is left, all headers are. */
void world_reboot(void);

struct disk *world_disk(const char *uuid);

/* --- worker.c, worker-jobs.c: what a worker may do next --- */

/* What it says. NULL: nobody is connected, and what would be said is lost. */
struct message *worker_push(struct worker *w, enum said_kind kind);
void worker_push_ended(struct worker *w, enum worker_job job, int error, bool finished);
void worker_push_reply(struct worker *w, enum worker_call call, int error);
void worker_push_keys(struct worker *w, const char *side);

bool worker_can_read(const struct worker *w);
void worker_read(struct worker *w);
bool worker_can_work(const struct worker *w);
void worker_work(struct worker *w);
/* SIGKILL, or its own end. */
void worker_die(struct worker *w);
/* Frees what waits in its queues. */
void worker_clear(struct worker *w);
/* Says to a new connection what nobody heard. */
void worker_push_kept_keys(struct worker *w);

/* --- link.c: what the manager may hear next --- */

bool link_can_hear(const struct worker_link *l);
void link_hear(struct worker_link *l);
bool link_can_hear_death(const struct worker_link *l);
void link_hear_death(struct worker_link *l);

/* --- store.c --- */

void store_reset(void);
/* systemd drops the control socket of a worker that has died. */
void store_worker_died(const struct worker *w);
bool store_has_keys(const char *uuid);
bool store_has_worker(const struct worker *w);
void memory_reset(void);

/* --- checks.c: what must hold whenever a worker is told to do something --- */

void check_job(const struct worker *w, const struct call *c);
