/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a worker can be told to do: the same names for the manager, the worker and their messages.
 */
#pragma once

enum worker_job {
	WORKER_NONE,
	WORKER_INSPECT,
	WORKER_LOCK,
	WORKER_UNLOCK,
	WORKER_USE_PROVIDER,
	WORKER_ADOPT,
	WORKER_CHECK,
	WORKER_PREPARE,
	WORKER_UNDO,
	WORKER_CONVERT,
	WORKER_RECOVER,
	WORKER_REVERSE,
	WORKER_FOREGROUND, /* of recryptctl alone */
	WORKER_JOB_COUNT
};

/* As in Done and GetStatus: "none", "inspect", "use-provider", ... */
extern const char *const worker_job_names[WORKER_JOB_COUNT];

/* WORKER_NONE for a name that is not known. */
enum worker_job worker_job_by_name(const char *name);

/* The method that asks for it, and back; WORKER_NONE: no method of a job. */
const char *worker_job_method(enum worker_job job);
enum worker_job worker_job_by_method(const char *method);
