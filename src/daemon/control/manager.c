/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/control/manager.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/state/config.h"
#include "daemon/control/core.h"
#include "daemon/control/discover.h"
#include "daemon/workers/probe.h"
#include "daemon/workers/store.h"
#include "model/least-rate.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/device-name.h"

#define PREPARE_AT_ONCE 2 /* a key derivation may take a gigabyte */

/* How long volumes that do not answer hold up what waits for the service, microseconds. */
#define READY_LIMIT UINT64_C(10000000)

static void apply_config(struct manager *m)
{
	m->core->prepare.max_concurrent = PREPARE_AT_ONCE;
	m->core->convert.max_concurrent = m->config->max_concurrent;
	m->core->convert.max_concurrent_per_disk = m->config->max_concurrent_per_disk;
	m->rate_limit = config_rate_limit(m->config);
	turn_mark(&m->core->turn, MANAGER_CHANGED_RATE_LIMIT);
}

static void on_job_added(struct job *j, void *userdata)
{
	struct manager *m = userdata;
	const struct manager_observer *o = &m->core->observer;

	turn_mark(&m->core->turn, 0); /* which saves it */
	if (o->job_added)
		o->job_added(j, o->userdata);
}

static void on_job_changed(struct job *j, uint64_t what, void *userdata)
{
	struct manager *m = userdata;
	const struct manager_observer *o = &m->core->observer;

	turn_mark(&m->core->turn, what & JOB_CHANGED_RUNNING ? MANAGER_CHANGED_JOBS_RUNNING : 0);
	if (o->job_changed)
		o->job_changed(j, what, o->userdata);
}

static void on_job_removed(struct job *j, void *userdata)
{
	const struct manager_observer *o = &((struct manager *)userdata)->core->observer;

	if (o->job_removed)
		o->job_removed(j, o->userdata);
}

static void on_job_left(struct volume *v, void *userdata)
{
	(void)userdata;
	mark_set(&v->mark, 0);
}

static const struct job_observer job_observer = {
	.added = on_job_added,
	.changed = on_job_changed,
	.removed = on_job_removed,
	.left = on_job_left,
};

int manager_new(sd_event *event, const struct manager_options *options, struct manager **ret)
{
	_cleanup_(manager_freep) struct manager *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->core = calloc(1, sizeof(*m->core));
	if (!m->core)
		return -ENOMEM;
	manager_init_clock(m);
	m->event = sd_event_ref(event);
	m->options = options;
	m->jobs.observer = &job_observer;
	m->jobs.userdata = m;
	m->core->probes = (struct probes){
		.event = event, .stuck = &m->core->stuck, .owner = &found_owner, .userdata = m};
	r = saved_state_init(&m->core->saved, options->state_dir);
	if (r < 0)
		return r;
	r = job_numbers_init(&m->jobs.numbers, options->state_dir);
	if (r < 0)
		return r;
	r = manager_turn_new(m);
	if (r < 0)
		return r;
	r = config_load(options->config_path, m->core->saved.path, &m->config);
	if (r < 0)
		return r;
	r = store_open();
	if (r < 0)
		return r;
	apply_config(m);
	*ret = TAKE_PTR(m);
	return 0;
}

struct manager *manager_free(struct manager *m)
{
	if (!m)
		return NULL;
	if (m->core) {
		m->core->observer = (struct manager_observer){};
		m->core->discover = discover_free(m->core->discover);
		probe_free_all(&m->core->probes);
		absent_clear(&m->core->absent);
		crypttab_names_clear(&m->core->crypttab_names);
		volume_free_all(m);
		worker_link_free_retired();
		job_free_all(&m->jobs);
		job_numbers_clear(&m->jobs.numbers);
		history_free(&m->history);
		store_close();
		manager_free_clock(m);
		(void)sd_event_source_disable_unref(m->core->ready_limit);
		turn_free(&m->core->turn);
		saved_state_clear(&m->core->saved);
		free(m->core);
	}
	config_free(m->config);
	sd_event_unref(m->event);
	free(m);
	return NULL;
}

void manager_set_observer(struct manager *m, const struct manager_observer *observer)
{
	m->core->observer = *observer;
}

static int on_ready_limit(sd_event_source *s, uint64_t usec, void *userdata)
{
	(void)s;
	(void)usec;
	probe_wait_no_longer(userdata);
	return 0;
}

static int begin_discovery(struct manager *m)
{
	int r = discover_new(m, &m->core->discover);

	if (r < 0)
		return r;
	r = sd_event_add_time_relative(m->event, &m->core->ready_limit, CLOCK_MONOTONIC,
				       READY_LIMIT, 10000, on_ready_limit, &m->core->probes);
	return r < 0 ? r : 0;
}

int manager_start(struct manager *m)
{
	char uuid[37];
	int fd, r;

	assert(!m->core->discover); /* once */
	manager_load_jobs(m);
	history_load(&m->history, m->options->state_dir);
	while (store_next(STORE_WORKER, uuid, &fd)) {
		r = probe_adopt(&m->core->probes, uuid, fd);
		if (r < 0)
			(void)log_warning_errno(r, "%s: its worker is gone", uuid);
	}
	r = begin_discovery(m);
	turn_mark(&m->core->turn, 0);
	return r;
}

static int read_config_again(struct manager *m, struct failure *f)
{
	struct config *config;
	int r = config_load(m->options->config_path, m->core->saved.path, &config);

	if (r < 0)
		return failure_set(f, r, "%s: cannot be read; the configuration stays as it is",
				   m->options->config_path);
	config_free(m->config);
	m->config = config;
	apply_config(m);
	absent_apply_config(m);
	for (struct volume *v = m->volumes; v; v = v->next)
		volume_apply_config(v);
	discover_configured(m->core->discover);
	if (config->ignored > 0)
		log_info("configuration reloaded; %u %s ignored, see above", config->ignored,
			 config->ignored == 1 ? "line was" : "lines were");
	else
		log_info("configuration reloaded");
	return 0;
}

int manager_reload(struct manager *m, struct failure *f)
{
	int r;

	store_notify_reloading();
	r = read_config_again(m, f);
	if (m->core->ready)
		store_notify_ready();
	return r;
}

/* A path as a caller names it. */
static int read_path(const char *text, struct failure *f, char **ret)
{
	int r = device_name_path(text, ret);

	if (r == -EINVAL)
		return failure_set(f, r, "a device is named by its absolute path");
	return r < 0 ? failure_set(f, -ENOMEM, "out of memory") : 0;
}

int manager_add_volume(struct manager *m, const char *device, const struct add_options *options,
		       struct failure *f, volume_done_t done, void *userdata)
{
	_cleanup_free_ char *path = NULL, *header = NULL;
	struct probe_spec spec = {.remember = true, .done = done, .userdata = userdata};
	int r = read_path(device, f, &path);

	if (r < 0)
		return r;
	if (options && options->header_device && *options->header_device) {
		r = read_path(options->header_device, f, &header);
		if (r < 0)
			return r;
	}
	spec.device = path;
	spec.header_device = header;
	spec.name = options ? options->name : NULL;
	return probe_new(&m->core->probes, &spec) < 0 ? failure_set(f, -ENOMEM, "out of memory")
						      : 0;
}

/* A section with a path makes the volume known again; one without only says what holds for it. */
static int refuse_configured(const struct volume *v, struct failure *f)
{
	const struct config *config = v->manager->config;
	const struct volume_config *c = config_find_volume(config, v->uuid);
	_cleanup_free_ char *where = NULL;

	if (!c || c->remembered || !c->device)
		return 0;
	where = config_section_text(config, v->uuid);
	return failure_set(f, -EBUSY,
			   "%s: the configuration names it (%s), so it would be back at the next "
			   "reload; take the section out there. --force forgets it until then",
			   v->place.device, where ? where : "a section of its own");
}

/* Only the daemon continues a half-converted volume without being told to. */
static int refuse_half_converted(const struct volume *v, struct failure *f)
{
	if (!header_in_reencryption(&v->header))
		return 0;
	return failure_set(
		f, -EBUSY,
		"%s: is %s; without the daemon nobody continues it. Finish or cancel the rotation "
		"first; or --force, and cryptsetup reencrypt --resume-only continues it",
		v->place.device,
		v->status.state == VOLUME_SUSPENDED ? "suspended half way" : "half converted");
}

static bool is_at_work(const struct volume *v)
{
	return !volume_is_calm(v) ||
	       (v->status.state != VOLUME_IDLE && v->status.state != VOLUME_SUSPENDED &&
		v->status.state != VOLUME_LOCKED && v->status.state != VOLUME_FAILED &&
		v->status.state != VOLUME_ABSENT);
}

static int refuse_remove(const struct volume *v, bool force, struct failure *f)
{
	int r;

	if (is_at_work(v))
		return failure_set(f, -EBUSY, "%s: is at work; suspend it, or cancel the rotation",
				   v->place.device);
	if (force)
		return 0;
	r = refuse_configured(v, f);
	if (r < 0)
		return r;
	r = refuse_half_converted(v, f);
	if (r < 0)
		return r;
	return v->job ? failure_set(f, -EBUSY,
				    "%s: a rotation waits to begin; cancel it first, or --force "
				    "forgets it",
				    v->place.device)
		      : 0;
}

int manager_remove_volume(struct manager *m, struct volume *v, bool force, struct failure *f)
{
	int r = refuse_remove(v, force, f);

	if (r < 0)
		return r;
	config_forget(m->config, v->uuid);
	saved_state_write(&m->core->saved, m->config);
	remembered_forget(m->options->state_dir, v->uuid);
	volume_remove(v);
	return 0;
}

int manager_set_rate_limit(struct manager *m, uint64_t rate, struct failure *f)
{
	char text[LEAST_RATE_TEXT];

	if (rate != RATE_AS_CONFIGURED && least_rate_check(rate, text) < 0)
		return failure_set(f, -EINVAL, "%s", text);
	m->config->has_kept_rate = rate != RATE_AS_CONFIGURED;
	m->config->kept_rate_limit = m->config->has_kept_rate ? rate : 0;
	m->rate_limit = m->config->has_kept_rate ? rate : m->config->rate_limit;
	saved_state_write(&m->core->saved, m->config);
	for (struct volume *v = m->volumes; v; v = v->next)
		volume_forget_clock(v); /* their deadlines may be at risk by that */
	turn_mark(&m->core->turn, MANAGER_CHANGED_RATE_LIMIT);
	return 0;
}
