/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/worker-job.h"

#include <assert.h>
#include <string.h>

const char *const worker_job_names[WORKER_JOB_COUNT] = {
	[WORKER_NONE] = "none",
	[WORKER_INSPECT] = "inspect",
	[WORKER_LOCK] = "lock",
	[WORKER_UNLOCK] = "unlock",
	[WORKER_USE_PROVIDER] = "use-provider",
	[WORKER_ADOPT] = "adopt",
	[WORKER_CHECK] = "check",
	[WORKER_PREPARE] = "prepare",
	[WORKER_UNDO] = "undo",
	[WORKER_CONVERT] = "convert",
	[WORKER_RECOVER] = "recover",
	[WORKER_REVERSE] = "reverse",
	[WORKER_FOREGROUND] = "foreground",
};

static const char *const methods[WORKER_JOB_COUNT] = {
	[WORKER_INSPECT] = "Inspect", [WORKER_LOCK] = "Lock",
	[WORKER_UNLOCK] = "Unlock",   [WORKER_USE_PROVIDER] = "UseProvider",
	[WORKER_ADOPT] = "Adopt",     [WORKER_CHECK] = "Check",
	[WORKER_PREPARE] = "Prepare", [WORKER_UNDO] = "Undo",
	[WORKER_CONVERT] = "Convert", [WORKER_RECOVER] = "Recover",
	[WORKER_REVERSE] = "Reverse", [WORKER_FOREGROUND] = "RunInForeground",
};

static enum worker_job find_job(const char *const *names, const char *name)
{
	for (unsigned i = 0; i < WORKER_JOB_COUNT; i++)
		if (names[i] && strcmp(names[i], name) == 0)
			return (enum worker_job)i;
	return WORKER_NONE;
}

enum worker_job worker_job_by_name(const char *name)
{
	return find_job(worker_job_names, name);
}

enum worker_job worker_job_by_method(const char *method)
{
	return find_job(methods, method);
}

const char *worker_job_method(enum worker_job job)
{
	assert(job > WORKER_NONE && job < WORKER_JOB_COUNT);
	return methods[job];
}
