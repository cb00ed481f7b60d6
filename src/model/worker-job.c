/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/worker-job.h"

#include <assert.h>
#include <string.h>

static const struct {
	const char *name, *method;
} jobs[WORKER_JOB_COUNT] = {
	[WORKER_NONE] = {"none", NULL},
	[WORKER_INSPECT] = {"inspect", "Inspect"},
	[WORKER_LOCK] = {"lock", "Lock"},
	[WORKER_UNLOCK] = {"unlock", "Unlock"},
	[WORKER_USE_PROVIDER] = {"use-provider", "UseProvider"},
	[WORKER_ADOPT] = {"adopt", "Adopt"},
	[WORKER_CHECK] = {"check", "Check"},
	[WORKER_PREPARE] = {"prepare", "Prepare"},
	[WORKER_UNDO] = {"undo", "Undo"},
	[WORKER_CONVERT] = {"convert", "Convert"},
	[WORKER_RECOVER] = {"recover", "Recover"},
	[WORKER_REVERSE] = {"reverse", "Reverse"},
};

const char *worker_job_name(enum worker_job job)
{
	assert(job < WORKER_JOB_COUNT);
	return jobs[job].name;
}

enum worker_job worker_job_by_name(const char *name)
{
	for (unsigned i = 0; i < WORKER_JOB_COUNT; i++)
		if (strcmp(jobs[i].name, name) == 0)
			return (enum worker_job)i;
	return WORKER_NONE;
}

const char *worker_job_method(enum worker_job job)
{
	assert(job > WORKER_NONE && job < WORKER_JOB_COUNT);
	return jobs[job].method;
}
