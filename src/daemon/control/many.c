/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Suspend and resume of many volumes at once: the caller hears when all have answered. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/core.h"

bool volume_filter_matches(const struct volume_filter *filter, const struct volume *v)
{
	if (!filter)
		return true;
	if (filter->group && strcmp(filter->group, v->settings.group) != 0)
		return false;
	if (filter->state && strcmp(filter->state, volume_state_name(v->status.state)) != 0)
		return false;
	if (!filter->uuids)
		return true;
	for (const char *const *u = filter->uuids; *u; u++)
		if (strcmp(*u, v->uuid) == 0)
			return true;
	return false;
}

struct many {
	size_t pending;
	int error;
	struct failure failure;
	volume_done_t done;
	void *userdata;
};

static void one_done(struct many *m)
{
	assert(m->pending > 0);
	if (--m->pending > 0)
		return;
	m->done(NULL, m->error, &m->failure, m->userdata);
	free(m);
}

static void on_volume_done(struct volume *v, int error, const struct failure *f, void *userdata)
{
	struct many *m = userdata;

	(void)v;
	if (error < 0 && m->error == 0) {
		m->error = error;
		m->failure = *f;
	}
	one_done(m);
}

/* @suspend: with this reason; or @resume. The other one is NULL. */
static int for_all(struct manager *manager, const struct volume_filter *filter, const char *suspend,
		   const struct resume_options *resume, struct failure *f, volume_done_t done,
		   void *userdata, size_t *ret_count)
{
	struct many *m = calloc(1, sizeof(*m));
	size_t count = 0;

	assert(!suspend != !resume);
	if (!m)
		return failure_set(f, -ENOMEM, "out of memory");
	m->pending = 1; /* ours: it cannot end before all have been asked */
	m->done = done;
	m->userdata = userdata;
	for (struct volume *v = manager->volumes; v; v = v->next) {
		struct failure why = {};
		int r;

		if (!volume_filter_matches(filter, v) || v->status.state == VOLUME_IDLE ||
		    v->status.state == VOLUME_ABSENT)
			continue;
		m->pending++;
		r = suspend ? volume_suspend(v, suspend, &why, on_volume_done, m)
			    : volume_resume(v, resume, &why, on_volume_done, m);
		if (r < 0)
			on_volume_done(v, r, &why, m);
		else
			count++;
	}
	*ret_count = count;
	one_done(m);
	return 0;
}

int manager_suspend_all(struct manager *m, const struct volume_filter *filter, const char *reason,
			struct failure *f, volume_done_t done, void *userdata, size_t *ret_count)
{
	return for_all(m, filter, reason, NULL, f, done, userdata, ret_count);
}

int manager_resume_all(struct manager *m, const struct volume_filter *filter,
		       const struct resume_options *options, struct failure *f, volume_done_t done,
		       void *userdata, size_t *ret_count)
{
	return for_all(m, filter, NULL, options, f, done, userdata, ret_count);
}
