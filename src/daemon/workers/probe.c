/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/workers/probe.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "daemon/control/core.h"
#include "daemon/control/duplicates.h"
#include "daemon/workers/store.h"
#include "util/log.h"
#include "util/text.h"

#define PROBES_AT_ONCE 4
/* A worker may be killed for want of memory, or by mistake. One that always dies is no use. */
#define WORKERS_MAX 3
/* One that has not answered after this keeps no other one waiting, microseconds. */
#define PROBE_SLOW UINT64_C(2000000)
/* Probes that are slow, and processes that cannot even be killed; more are not begun. */
#define STUCK_MAX 16

struct probe {
	struct manager *manager;
	struct probe *next;
	struct worker_link *link; /* NULL: waits */
	char *device, *header_device, *name;
	char uuid[37]; /* "": any */
	bool adopted, quiet, remember;
	bool looked; /* the worker is alive and has answered */
	bool slow;
	unsigned deaths;
	sd_event_source *limit;
	int status_error;
	struct worker_status status; /* of an adopted one, less what has ended since */
	volume_done_t done;
	void *userdata;
};

static int on_stuck_ended(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
	struct manager *m = userdata;

	(void)fd;
	(void)events;
	assert(m->core->n_stuck > 0);
	m->core->n_stuck--;
	(void)sd_event_source_set_floating(s, 0); /* the loop's reference was the last */
	return 0;
}

void probe_count_killed(struct manager *m, int pidfd)
{
	_cleanup_(sd_event_source_unrefp) sd_event_source *s = NULL;
	_cleanup_close_ int fd = pidfd;

	assert(pidfd >= 0);
	if (sd_event_add_io(m->event, &s, fd, EPOLLIN, on_stuck_ended, m) < 0 ||
	    sd_event_source_set_io_fd_own(s, 1) < 0)
		return;
	(void)TAKE_FD(fd);
	if (sd_event_source_set_floating(s, 1) >= 0)
		m->core->n_stuck++;
}

/* Its worker only reads, and may be in a system call that a dead server would have to end. */
static void give_up(struct probe *p)
{
	int fd;

	if (worker_link_kill(p->link, &fd) == 0)
		probe_count_killed(p->manager, fd);
}

static void probe_free(struct probe *p)
{
	for (struct probe **q = &p->manager->core->probes; *q; q = &(*q)->next)
		if (*q == p) {
			*q = p->next;
			break;
		}
	(void)sd_event_source_disable_unref(p->limit);
	if (p->link && !p->looked && !p->adopted)
		give_up(p);
	if (p->link && p->looked)
		worker_link_retire(p->link);
	else
		(void)worker_link_free(p->link);
	free(p->device);
	free(p->header_device);
	free(p->name);
	free(p);
}

static void start_waiting(struct manager *m);

static void remember(struct manager *m, const struct volume *v)
{
	if (config_remember(m->config, v->uuid, v->place.device,
			    *v->place.header_device ? v->place.header_device : NULL, NULL) == 0)
		manager_write_state(m);
	else
		log_warning("%s: will not be known after a restart", v->place.device);
}

static void finish(struct probe *p, struct volume *v, int error, const struct failure *f)
{
	struct manager *m = p->manager;
	const char *what = *p->device ? p->device : p->uuid;

	assert(!v || error == 0);
	if (error < 0 && p->adopted && error != -ESHUTDOWN) {
		store_drop(STORE_WORKER, p->uuid);
		log_warning("%s: its worker is lost: %s", what, f->text);
	} else if (error < 0 && !p->done) {
		log_message(p->quiet ? LOG_DEBUG : LOG_WARNING, "%s: no volume: %s", what, f->text);
	}
	if (v && p->remember)
		remember(m, v);
	if (p->done)
		p->done(v, error, f, p->userdata);
	probe_free(p);
	manager_mark(m, 0);
	if (!m->stopping)
		start_waiting(m);
}

/* It may have been out of reach when its own worker looked last. */
static int look_at_known(struct volume *v, struct worker_look *look, struct failure *f)
{
	if (v->worker.link)
		return 0;
	if (volume_apply_look(v, look) < 0)
		return failure_set(f, -ENOMEM, "out of memory");
	volume_settle_record(v);
	volume_add_found_job(v);
	return 0;
}

/*
 * A volume with this UUID is known. It may be this very device, or be here now, or this is a clone.
 * A device that the caller names takes over also from another name of the same one.
 */
static int found_known(struct probe *p, struct volume *v, struct worker_look *look,
		       struct failure *f)
{
	int r = volume_check_place(v, look, f);

	if (r < 0 && p->quiet)
		log_warning("%s", f->text);
	if (r < 0)
		return r;
	if (volume_is_at(v, look) && (!p->done || strcmp(look->device, v->place.device) == 0 ||
				      v->worker.job != WORKER_NONE))
		return look_at_known(v, look, f);
	return volume_move(v, look, f);
}

/*
 * What a person names is meant, and what is open is in use. All else was found by a name that may
 * lead to a clone by now; where the right one is known, that is looked at instead.
 */
static int check_duplicates(struct probe *p, const struct worker_look *look, struct failure *f)
{
	const struct volume_config *c = config_find_volume(p->manager->config, look->uuid);
	_cleanup_free_ char *instead = NULL;
	struct probe_spec spec = {.name = p->name, .uuid = look->uuid, .quiet = p->quiet};
	int r;

	if (p->done || p->adopted || *look->name)
		return 0;
	r = duplicates_check(look, *p->header_device ? p->header_device : p->device,
			     c ? c->device_id : NULL, &instead, f);
	if (r < 0 && p->quiet)
		log_warning("%s", f->text);
	spec.device = instead;
	if (instead && !*p->header_device && probe_new(p->manager, &spec) < 0)
		log_error("out of memory");
	return r;
}

/* Has this volume a worker that has not answered yet? */
static bool is_adopted(const struct manager *m, const char *uuid)
{
	for (const struct probe *p = m->core->probes; p; p = p->next)
		if (p->adopted && strcmp(p->uuid, uuid) == 0)
			return true;
	return false;
}

/* A second worker would write beside it: this probe comes after that one's answer, or its end. */
static void wait_for_adopted(struct probe *p, const char *uuid)
{
	(void)text_copy(p->uuid, sizeof(p->uuid), uuid);
	worker_link_retire(TAKE_PTR(p->link));
	p->limit = sd_event_source_disable_unref(p->limit);
	p->looked = p->slow = false;
	start_waiting(p->manager);
}

/* Is the volume that was found the one that was asked for? */
static int check_found(struct probe *p, const struct worker_end *e, struct failure *f)
{
	if (e->error < 0)
		return e->error;
	if (!e->look.valid)
		return failure_set(
			f, -EINVAL,
			"%s: the LUKS UUID of the volume, \"%.64s\", is not one; give it "
			"another: cryptsetup luksUUID --uuid $(uuidgen) %s",
			p->device, e->look.uuid, p->device);
	if (*p->uuid && strcmp(e->look.uuid, p->uuid) != 0)
		return failure_set(f, -ESTALE, "volume %s is there, and not %s", e->look.uuid,
				   p->uuid);
	return check_duplicates(p, &e->look, f);
}

/* Makes a new volume, which keeps the worker that inspected it. */
static int found_new(struct probe *p, struct worker_look *look, struct failure *f,
		     struct volume **ret)
{
	struct volume *v;
	int r = volume_new(p->manager, look, p->link, p->adopted, &v);

	if (r < 0)
		return failure_set(f, r, "out of memory");
	p->link = NULL;
	v->worker.looked = !p->adopted; /* only the status makes it whole */
	if (p->adopted)
		volume_worker_handler.status(v, p->status_error, &p->status);
	else
		volume_send_identity(v);
	*ret = v;
	return 0;
}

static int take_found(struct probe *p, struct worker_end *e, struct failure *f, struct volume **ret)
{
	struct volume *v;
	int r = check_found(p, e, f);

	if (r < 0)
		return r;
	v = manager_volume_by_uuid(p->manager, e->look.uuid);
	if (!v)
		return found_new(p, &e->look, f, ret);
	r = found_known(p, v, &e->look, f);
	if (r < 0)
		return r;
	*ret = v;
	return 0;
}

static void on_ended(void *userdata, struct worker_end *e)
{
	struct probe *p = userdata;
	struct failure f = e->failure;
	struct volume *v = NULL;
	int r;

	if (e->job != WORKER_INSPECT) {
		/* The worker ended that before it looked: the look shows what came of it. */
		if (e->job == p->status.job)
			p->status.job = WORKER_NONE;
		return;
	}
	p->looked = true;
	if (e->error == 0 && e->look.valid && !p->adopted && is_adopted(p->manager, e->look.uuid)) {
		wait_for_adopted(p, e->look.uuid);
		return;
	}
	r = take_found(p, e, &f, &v);
	if (v)
		volume_mark(v, 0);
	finish(p, v, r, &f);
}

/* Nobody else looks at the device again: another worker does it at once. */
static void look_again(struct probe *p)
{
	p->link = worker_link_free(p->link);
	p->limit = sd_event_source_disable_unref(p->limit);
	p->slow = false;
	start_waiting(p->manager);
}

static void on_died(void *userdata)
{
	struct probe *p = userdata;
	struct failure f;

	if (!p->adopted && ++p->deaths < WORKERS_MAX && !p->manager->stopping) {
		look_again(p);
		return;
	}
	(void)failure_set(&f, -EIO, "its worker died");
	finish(p, NULL, -EIO, &f);
}

/*
 * What an adopted worker is doing goes on while it is asked. It says what that is before it looks,
 * or an end in between would be seen by nobody.
 */
static void on_status(void *userdata, int error, const struct worker_status *status)
{
	struct probe *p = userdata;

	p->status_error = error;
	p->status = *status;
	if (status->job != WORKER_NONE)
		worker_link_expect(p->link, status->job);
	if (worker_link_inspect(p->link) < 0)
		on_died(p);
}

static const struct worker_handler handler = {
	.ended = on_ended,
	.status = on_status,
	.died = on_died,
};

static int on_limit(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct probe *p = userdata;
	struct manager *m = p->manager;
	struct failure f;

	(void)s;
	if (!p->slow) {
		p->slow = true;
		if (sd_event_source_set_time(p->limit, usec + m->config->probe_timeout_usec) >= 0 &&
		    sd_event_source_set_enabled(p->limit, SD_EVENT_ONESHOT) >= 0) {
			start_waiting(m);
			return 0;
		}
	}
	(void)failure_set(&f, -ETIMEDOUT, "%s: the device does not answer", p->device);
	finish(p, NULL, -ETIMEDOUT, &f);
	return 0;
}

static int start_probe(struct probe *p)
{
	/* The worker that looks may stay the volume's. */
	struct worker_spec spec =
		volume_worker_spec(config_for_volume(p->manager->config, p->uuid));
	int r;

	assert(!p->link && !p->limit);
	r = sd_event_add_time_relative(p->manager->event, &p->limit, CLOCK_MONOTONIC, PROBE_SLOW,
				       10000, on_limit, p);
	if (r < 0)
		return r;
	spec.device = p->device;
	spec.header_device = p->header_device;
	spec.name = p->name;
	spec.quiet = p->quiet;
	r = worker_link_spawn(p->manager->event, &spec, &handler, p, &p->link);
	return r < 0 ? r : worker_link_inspect(p->link);
}

/* What is found by itself is not looked at twice; who names a device wants it to be. */
static struct volume *find_known(const struct probe *p)
{
	struct volume *v = *p->uuid ? manager_volume_by_uuid(p->manager, p->uuid) : NULL;

	return v || p->done ? v : manager_volume_by_path(p->manager, p->device);
}

static void start_waiting(struct manager *m)
{
	unsigned running = 0, stuck = m->core->n_stuck;

	for (const struct probe *p = m->core->probes; p; p = p->next) {
		running += p->link && !p->slow;
		stuck += p->link && p->slow && !p->adopted;
		if (p->adopted && !m->core->ready_due)
			return; /* those that are at work have a say first */
	}
	if (stuck >= STUCK_MAX)
		return;
	for (struct probe *p = m->core->probes; p && running < PROBES_AT_ONCE; p = p->next) {
		struct volume *known;
		int r;

		if (p->link || is_adopted(m, p->uuid))
			continue;
		known = find_known(p);
		if (known) {
			finish(p, known, 0, &(struct failure){});
			return;
		}
		r = start_probe(p);
		if (r < 0) {
			struct failure f;

			(void)failure_set(&f, r, "no worker can be started");
			finish(p, NULL, r, &f);
			return; /* which has come here again */
		}
		running++;
	}
}

static char *copy(const char *text)
{
	return strdup(text ? text : "");
}

static int add_probe(struct manager *m, const struct probe_spec *spec, struct probe **ret)
{
	struct probe *p = calloc(1, sizeof(*p)), **end = &m->core->probes;

	if (!p)
		return -ENOMEM;
	p->manager = m;
	p->device = copy(spec->device);
	p->header_device = copy(spec->header_device);
	p->name = copy(spec->name);
	(void)snprintf(p->uuid, sizeof(p->uuid), "%s", spec->uuid ? spec->uuid : "");
	p->quiet = spec->quiet;
	p->remember = spec->remember;
	p->done = spec->done;
	p->userdata = spec->userdata;
	if (!p->device || !p->header_device || !p->name) {
		probe_free(p);
		return -ENOMEM;
	}
	while (*end)
		end = &(*end)->next;
	*end = p;
	*ret = p;
	return 0;
}

/* What is to be found by itself is asked for by each event that may have to do with it. */
static bool is_queued(const struct manager *m, const struct probe_spec *spec)
{
	assert(spec->device);
	for (const struct probe *p = m->core->probes; p; p = p->next)
		if (!p->done && !p->adopted && strcmp(p->device, spec->device) == 0 &&
		    strcmp(p->header_device, spec->header_device ? spec->header_device : "") == 0 &&
		    strcmp(p->name, spec->name ? spec->name : "") == 0 &&
		    strcmp(p->uuid, spec->uuid ? spec->uuid : "") == 0)
			return true;
	return false;
}

int probe_new(struct manager *m, const struct probe_spec *spec)
{
	struct probe *p;
	int r;

	if (!spec->done && is_queued(m, spec))
		return 0;
	r = add_probe(m, spec, &p);
	if (r < 0)
		return r;
	start_waiting(m);
	return 0;
}

void probe_wait_no_longer(struct manager *m)
{
	m->core->ready_due = true;
	start_waiting(m);
	manager_mark(m, 0);
}

/* Takes @control_fd. */
static int ask_adopted(struct probe *p, int control_fd)
{
	int r = worker_link_adopt(p->manager->event, control_fd, &handler, p, &p->link);

	return r < 0 ? r : worker_link_get_status(p->link);
}

int probe_adopt(struct manager *m, const char *uuid, int control_fd)
{
	const struct probe_spec spec = {.uuid = uuid};
	struct probe *p;
	int r = add_probe(m, &spec, &p);

	if (r < 0)
		return r;
	p->adopted = true;
	r = ask_adopted(p, control_fd);
	if (r < 0) {
		store_drop(STORE_WORKER, uuid);
		probe_free(p);
	}
	return r;
}

void probe_end_all(struct manager *m, int error, const struct failure *f)
{
	while (m->core->probes)
		finish(m->core->probes, NULL, error, f);
}

void probe_free_all(struct manager *m)
{
	while (m->core->probes)
		probe_free(m->core->probes);
}
