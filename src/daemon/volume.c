/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/volume.h"

#include <assert.h>
#include <errno.h>

#include "util/checked.h"

const char *volume_state_name(enum volume_state state)
{
	static const char *const names[] = {
		[VOLUME_IDLE] = "idle",           [VOLUME_QUEUED] = "queued",
		[VOLUME_PREPARING] = "preparing", [VOLUME_RUNNING] = "running",
		[VOLUME_SUSPENDED] = "suspended", [VOLUME_REVERSING] = "reversing",
		[VOLUME_FINISHING] = "finishing", [VOLUME_LOCKED] = "locked",
		[VOLUME_FAILED] = "failed",
	};

	assert(state < ARRAY_SIZE(names));
	return names[state];
}

static int not_yet(struct volume *v, struct failure *f)
{
	return failure_set(f, -ENOTSUP, "%s: not supported", v->device);
}

int volume_rotate(struct volume *v, const struct rotate_options *options, struct failure *f,
		  struct job **ret_job)
{
	(void)options;
	(void)ret_job;
	return not_yet(v, f);
}

int volume_suspend(struct volume *v, const char *reason, struct failure *f, volume_done_t done,
		   void *userdata)
{
	(void)reason;
	(void)done;
	(void)userdata;
	return not_yet(v, f);
}

int volume_resume(struct volume *v, struct failure *f, volume_done_t done, void *userdata)
{
	(void)done;
	(void)userdata;
	return not_yet(v, f);
}

int volume_cancel(struct volume *v, struct failure *f, struct job **ret_job)
{
	(void)ret_job;
	return not_yet(v, f);
}

int volume_set_rate_limit(struct volume *v, uint64_t rate, struct failure *f, volume_done_t done,
			  void *userdata)
{
	(void)rate;
	(void)done;
	(void)userdata;
	return not_yet(v, f);
}

int volume_unlock(struct volume *v, int fd, const struct unlock_options *options, struct failure *f,
		  volume_done_t done, void *userdata)
{
	(void)fd;
	(void)options;
	(void)done;
	(void)userdata;
	return not_yet(v, f);
}

int volume_lock(struct volume *v, struct failure *f, volume_done_t done, void *userdata)
{
	(void)done;
	(void)userdata;
	return not_yet(v, f);
}

int volume_check(struct volume *v, const struct rotate_options *options, struct failure *f,
		 volume_check_done_t done, void *userdata)
{
	(void)options;
	(void)done;
	(void)userdata;
	return not_yet(v, f);
}
