/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/manager.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"

struct manager_core {
	struct manager_observer observer;
};

int manager_new(sd_event *event, const struct manager_options *options, struct manager **ret)
{
	_cleanup_(manager_freep) struct manager *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->core = calloc(1, sizeof(*m->core));
	if (!m->core)
		return -ENOMEM;
	m->event = sd_event_ref(event);
	m->options = options;
	*ret = TAKE_PTR(m);
	return 0;
}

struct manager *manager_free(struct manager *m)
{
	if (!m)
		return NULL;
	config_free(m->config);
	sd_event_unref(m->event);
	free(m->core);
	free(m);
	return NULL;
}

void manager_set_observer(struct manager *m, const struct manager_observer *observer)
{
	m->core->observer = *observer;
}

int manager_start(struct manager *m)
{
	(void)m;
	return 0;
}

void manager_stop(struct manager *m, void (*done)(void *userdata), void *userdata)
{
	m->stopping = true;
	done(userdata);
}

int manager_reload(struct manager *m, struct failure *f)
{
	(void)m;
	return failure_set(f, -ENOTSUP, "not supported");
}

struct volume *manager_volume_by_uuid(struct manager *m, const char *uuid)
{
	for (struct volume *v = m->volumes; v; v = v->next)
		if (strcasecmp(v->uuid, uuid) == 0)
			return v;
	return NULL;
}

struct job *manager_job_by_id(struct manager *m, uint64_t id)
{
	for (struct job *j = m->jobs; j; j = j->next)
		if (j->id == id)
			return j;
	return NULL;
}

int manager_find_volume(struct manager *m, const char *what, struct failure *f, struct volume **ret)
{
	struct volume *v = manager_volume_by_uuid(m, what);

	if (!v)
		return failure_set(f, -ENODEV, "%s: no such volume is known", what);
	*ret = v;
	return 0;
}

int manager_add_volume(struct manager *m, const char *device, const struct add_options *options,
		       struct failure *f, volume_done_t done, void *userdata)
{
	(void)m;
	(void)options;
	(void)done;
	(void)userdata;
	return failure_set(f, -ENOTSUP, "%s: not supported", device);
}

int manager_remove_volume(struct manager *m, struct volume *v, struct failure *f)
{
	(void)m;
	return failure_set(f, -ENOTSUP, "%s: not supported", v->device);
}

bool volume_filter_matches(const struct volume_filter *filter, const struct volume *v)
{
	(void)filter;
	(void)v;
	return false;
}

int manager_rotate_all(struct manager *m, const struct volume_filter *filter,
		       const struct rotate_options *options, struct failure *f,
		       struct job **ret_job)
{
	(void)m;
	(void)filter;
	(void)options;
	(void)ret_job;
	return failure_set(f, -ENOTSUP, "not supported");
}

int manager_suspend_all(struct manager *m, const struct volume_filter *filter, const char *reason,
			struct failure *f, volume_done_t done, void *userdata, size_t *ret_count)
{
	(void)m;
	(void)filter;
	(void)reason;
	(void)done;
	(void)userdata;
	(void)ret_count;
	return failure_set(f, -ENOTSUP, "not supported");
}

int manager_resume_all(struct manager *m, const struct volume_filter *filter, struct failure *f,
		       volume_done_t done, void *userdata, size_t *ret_count)
{
	(void)m;
	(void)filter;
	(void)done;
	(void)userdata;
	(void)ret_count;
	return failure_set(f, -ENOTSUP, "not supported");
}

int manager_set_rate_limit(struct manager *m, uint64_t rate, struct failure *f)
{
	(void)rate;
	(void)m;
	return failure_set(f, -ENOTSUP, "not supported");
}
