/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a worker is told: of its volume when it is started, and of each job by the order for it.
 * Texts belong to the command line and to the order; one that is not given is NULL.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/foreground.h"
#include "model/rotation.h"

struct identity;

#define WORK_THREADS_MAX 256

/* Where the volume is, and which one is meant. */
struct work_target {
	const char *device;              /* NULL: only the name of the open volume was given */
	const char *active_name;         /* for find_mapping_name() */
	const char *header;              /* detached */
	const struct identity *identity; /* only this volume; NULL: whatever is there */
	uint64_t device_size;            /* bytes, multiple of 512 */
	bool allow_shared;               /* files that other users can change or replace */
};

struct work_options {
	struct work_target target;
	unsigned key_timeout; /* seconds that deriving one key may take; 0: any */
	uint32_t threads;     /* for ciphers and checksums; 0: one for each CPU */
	/* Of the job: */
	struct rotate_options rotation; /* but for its run, which is @run here */
	struct run_options run;
	struct foreground_options foreground; /* as none where the manager has ordered it */
};

#define WORK_OPTIONS_NONE                                                                          \
	{                                                                                          \
		.key_timeout = 60, .rotation = ROTATE_OPTIONS_NONE,                                \
		.foreground = FOREGROUND_OPTIONS_NONE                                              \
	}
