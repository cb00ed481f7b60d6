/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/job.h"

#include <assert.h>

#include "util/checked.h"

const char *job_kind_name(enum job_kind kind)
{
	static const char *const names[] = {
		[JOB_ROTATE] = "rotate",
		[JOB_CANCEL] = "cancel",
		[JOB_RECOVER] = "recover",
	};

	assert(kind < ARRAY_SIZE(names));
	return names[kind];
}

const char *job_state_name(enum job_state state)
{
	static const char *const names[] = {
		[JOB_WAITING] = "waiting", [JOB_RUNNING] = "running",     [JOB_DONE] = "done",
		[JOB_FAILED] = "failed",   [JOB_CANCELLED] = "cancelled",
	};

	assert(state < ARRAY_SIZE(names));
	return names[state];
}

bool job_ended(const struct job *j)
{
	return j->state == JOB_DONE || j->state == JOB_FAILED || j->state == JOB_CANCELLED;
}
