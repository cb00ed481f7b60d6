/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Volumes of a real manager, over workers that do nothing but note what they are told. */
#pragma once

#include <stdbool.h>

#include "daemon/control/core.h"

#define TEST_UUID_1 "6a0a6c3e-0e6f-4ea5-9a25-000000000001"
#define TEST_UUID_2 "6a0a6c3e-0e6f-4ea5-9a25-000000000002"

/* What a worker was told last. */
struct worker_link {
	enum worker_job job;    /* and has not said the end of */
	struct run_options run; /* of that */
	char *record;           /* NULL: none, or answered */
	unsigned stops;
	bool adopted;
	/* Whom it answers, and what it looks at: of one that the code under test has made. */
	const struct worker_handler *handler;
	void *userdata;
	char *device;
	/* What it was told of its pace. */
	struct worker_limits limits;
	struct governor_config governor;
	unsigned limits_told, governor_told;
};

/* The one that was spawned or adopted last and is still there, or NULL. */
struct worker_link *test_spawned(void);

/* Ids of events.h, since test_begin(). */
struct test_events {
	unsigned n;
	const char *last;
};
extern struct test_events test_events;

/* Setup and teardown of cmocka; *state is the manager. */
int test_begin(void **state);
int test_end(void **state);

/* A worker that is told nothing yet. */
struct worker_link *test_link(void);

/* At rest, on /dev/test, with no token. */
struct volume *test_volume(struct manager *m, const char *uuid);

/* All turns that are due. */
void test_turn(struct manager *m);

/* The worker has ended its job and the header is as given; the sides are "old" and "new". */
void test_ended(struct volume *v, enum worker_job job, int error, enum reencryption reencryption);
/* A look for who needs more than this; its texts are allocated. */
struct worker_look test_look(const char *uuid, enum reencryption reencryption);
void test_look_clear(struct worker_look *look);
/* The worker has written its record. */
void test_written(struct volume *v, int error);

/* A person gives a key. */
void test_unlock(struct volume *v);
/* All that leads a rotation to where it converts. */
void test_convert(struct volume *v);
