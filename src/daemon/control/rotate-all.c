/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Begins a rotation of several volumes, all or none (group.c). */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <systemd/sd-id128.h>

#include "daemon/control/core.h"
#include "util/cleanup.h"
#include "util/error.h"

/* One alone would wait for its key; all of a group would be taken back for it. */
static int refuse_locked(const struct volume *v, struct failure *f)
{
	const struct config *c = v->manager->config;

	if (keys_are_held(&v->keys) ||
	    config_for_volume(c, v->uuid)->provider.kind != PROVIDER_NONE)
		return 0;
	return failure_set(f, -ENOKEY,
			   "%s: is locked: unlock it first, with recryptctl unlock; none of the "
			   "volumes was touched",
			   v->place.device);
}

static int refuse_member(struct volume *v, const struct rotate_options *options, struct failure *f)
{
	int r = volume_refuse_absent(v, f);

	if (r < 0)
		return r;
	if (v->job || v->token.record.has_queued || header_in_reencryption(&v->header))
		return failure_set(f, -ERROR_IN_PROGRESS, "%s: a rotation is under way",
				   v->place.device);
	r = volume_refuse_conflict(v, f);
	if (r < 0)
		return r;
	r = volume_refuse_unseen(v, f);
	if (r < 0)
		return r;
	r = volume_check_rotation(v, options, f);
	return r < 0 ? r : refuse_locked(v, f);
}

static int collect_members(struct manager *m, const struct volume_filter *filter,
			   const struct rotate_options *options, struct failure *f,
			   struct volume **volumes, size_t *ret_n)
{
	size_t n = 0;
	int r;

	for (struct volume *v = m->volumes; v; v = v->next) {
		if (!volume_filter_matches(filter, v))
			continue;
		r = refuse_member(v, options, f);
		if (r < 0)
			return r;
		volumes[n++] = v;
	}
	if (n == 0)
		return failure_set(f, -ENODEV, "no volume matches");
	*ret_n = n;
	return 0;
}

static int new_group_job(struct manager *m, struct volume **volumes, size_t n, struct job **ret)
{
	_cleanup_free_ struct job_seat *seats = NULL;

	assert(n > 0);
	seats = calloc(n, sizeof(*seats));
	if (!seats)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		seats[i] = (struct job_seat){.volume = volumes[i],
					     .present = &volumes[i]->job,
					     .uuid = volumes[i]->uuid};
	return job_new(&m->jobs, JOB_ROTATE, seats, n, ret);
}

int manager_rotate_all(struct manager *m, const struct volume_filter *filter,
		       const struct rotate_options *options, struct failure *f,
		       struct job **ret_job)
{
	_cleanup_free_ struct volume **volumes = calloc(m->n_volumes + 1, sizeof(struct volume *));
	char group[SD_ID128_UUID_STRING_MAX];
	sd_id128_t id;
	size_t n = 0;
	int r;

	if (m->stopping)
		return failure_set(f, -ERROR_SHUTTING_DOWN, "the daemon is being stopped");
	if (!volumes)
		return failure_set(f, -ENOMEM, "out of memory");
	r = volume_check_deadline(options, f);
	if (r < 0)
		return r;
	r = collect_members(m, filter, options, f, volumes, &n);
	if (r < 0)
		return r;
	r = sd_id128_randomize(&id);
	if (r < 0)
		return failure_set(f, r, "no random number for the name of the group");
	if (new_group_job(m, volumes, n, ret_job) < 0)
		return failure_set(f, -ENOMEM, "out of memory");
	(void)sd_id128_to_uuid_string(id, group);
	for (size_t i = 0; i < n; i++) {
		volume_wish_rotation(volumes[i], options);
		group_join(volumes[i], *ret_job, group, volumes[0]);
	}
	return 0;
}
