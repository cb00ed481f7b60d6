/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/workers/probe.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/workers/store.h"
#include "util/error.h"
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
	struct probes *probes;
	struct probe *next;
	struct worker_link *link; /* NULL: waits */
	char *device, *header_device, *name;
	char uuid[37]; /* "": any */
	char mapping[128];
	bool adopted, quiet, remember;
	bool looked; /* the worker is alive and has answered */
	bool slow;
	unsigned deaths;
	sd_event_source *limit;
	int status_error;
	struct worker_status status; /* of an adopted one, less what has ended since */
	probe_done_t done;
	void *userdata;
};

/* Its worker only reads, and may be in a system call that a dead server would have to end. */
static void give_up(struct probe *p)
{
	int fd;

	if (worker_link_kill(p->link, &fd) == 0)
		stuck_add(p->probes->stuck, p->probes->event, fd);
}

static void probe_free(struct probe *p)
{
	for (struct probe **q = &p->probes->first; *q; q = &(*q)->next)
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

static void start_waiting(struct probes *ps);

static struct probe_spec spec_of(const struct probe *p)
{
	return (struct probe_spec){.device = p->device,
				   .header_device = p->header_device,
				   .name = p->name,
				   .uuid = p->uuid,
				   .mapping = p->mapping,
				   .quiet = p->quiet,
				   .remember = p->remember,
				   .done = p->done,
				   .userdata = p->userdata};
}

static void finish(struct probe *p, struct volume *v, int error, const struct failure *f)
{
	struct probes *ps = p->probes;
	const char *what = *p->device ? p->device : p->uuid;
	const struct probe_spec spec = spec_of(p);

	assert(!v || error == 0);
	if (error < 0 && p->adopted && error != -ERROR_SHUTTING_DOWN) {
		store_drop(STORE_WORKER, p->uuid);
		log_warning("%s: its worker is lost: %s", what, f->text);
	} else if (error < 0 && !p->done) {
		log_message(p->quiet ? LOG_DEBUG : LOG_WARNING, "%s: no volume: %s", what, f->text);
	}
	ps->owner->ended(ps->userdata, &spec, v, error, f);
	probe_free(p);
	ps->owner->changed(ps->userdata);
	if (!ps->closed)
		start_waiting(ps);
}

/* Has this volume a worker that has not answered yet? */
static bool is_adopted(const struct probes *ps, const char *uuid)
{
	for (const struct probe *p = ps->first; p; p = p->next)
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
	start_waiting(p->probes);
}

static void on_ended(void *userdata, struct worker_end *e)
{
	struct probe *p = userdata;
	struct failure f = e->failure;
	struct probe_found found;
	struct volume *v = NULL;
	int r;

	if (e->job != WORKER_INSPECT) {
		/* The worker ended that before it looked: the look shows what came of it. */
		if (e->job == p->status.job)
			p->status.job = WORKER_NONE;
		return;
	}
	p->looked = true;
	if (e->error == 0 && e->look.valid && !p->adopted && is_adopted(p->probes, e->look.uuid)) {
		wait_for_adopted(p, e->look.uuid);
		return;
	}
	found = (struct probe_found){.spec = spec_of(p),
				     .adopted = p->adopted,
				     .link = p->link,
				     .end = e,
				     .status_error = p->status_error,
				     .status = &p->status};
	r = p->probes->owner->found(p->probes->userdata, &found, &f, &v);
	p->link = found.link;
	finish(p, v, r, &f);
}

/* Nobody else looks at the device again: another worker does it at once. */
static void look_again(struct probe *p)
{
	p->link = worker_link_free(p->link);
	p->limit = sd_event_source_disable_unref(p->limit);
	p->slow = false;
	start_waiting(p->probes);
}

static void on_died(void *userdata)
{
	struct probe *p = userdata;
	struct failure f;

	if (!p->adopted && ++p->deaths < WORKERS_MAX && !p->probes->closed) {
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
	struct failure f;

	(void)s;
	if (!p->slow) {
		p->slow = true;
		if (sd_event_source_set_time(
			    p->limit, usec + p->probes->owner->timeout(p->probes->userdata)) >= 0 &&
		    sd_event_source_set_enabled(p->limit, SD_EVENT_ONESHOT) >= 0) {
			start_waiting(p->probes);
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
	struct worker_spec spec = p->probes->owner->worker(p->probes->userdata, p->uuid);
	int r;

	assert(!p->link && !p->limit);
	r = sd_event_add_time_relative(p->probes->event, &p->limit, CLOCK_MONOTONIC, PROBE_SLOW,
				       10000, on_limit, p);
	if (r < 0)
		return r;
	spec.device = p->device;
	spec.header_device = p->header_device;
	spec.name = p->name;
	spec.quiet = p->quiet;
	r = worker_link_spawn(p->probes->event, &spec, &handler, p, &p->link);
	return r < 0 ? r : worker_link_inspect(p->link);
}

static void start_waiting(struct probes *ps)
{
	unsigned running = 0, stuck = ps->stuck->n;

	for (const struct probe *p = ps->first; p; p = p->next) {
		running += p->link && !p->slow;
		stuck += p->link && p->slow && !p->adopted;
		if (p->adopted && !ps->hurried)
			return; /* those that are at work have a say first */
	}
	if (stuck >= STUCK_MAX)
		return;
	for (struct probe *p = ps->first; p && running < PROBES_AT_ONCE; p = p->next) {
		const struct probe_spec spec = spec_of(p);
		struct volume *known;
		int r;

		if (p->link || is_adopted(ps, p->uuid))
			continue;
		known = ps->owner->known(ps->userdata, &spec);
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

static int add_probe(struct probes *ps, const struct probe_spec *spec, struct probe **ret)
{
	struct probe *p = calloc(1, sizeof(*p)), **end = &ps->first;

	if (!p)
		return -ENOMEM;
	p->probes = ps;
	p->device = copy(spec->device);
	p->header_device = copy(spec->header_device);
	p->name = copy(spec->name);
	(void)snprintf(p->uuid, sizeof(p->uuid), "%s", spec->uuid ? spec->uuid : "");
	(void)snprintf(p->mapping, sizeof(p->mapping), "%s", spec->mapping ? spec->mapping : "");
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
static bool is_queued(const struct probes *ps, const struct probe_spec *spec)
{
	assert(spec->device);
	for (const struct probe *p = ps->first; p; p = p->next)
		if (!p->done && !p->adopted && strcmp(p->device, spec->device) == 0 &&
		    strcmp(p->header_device, spec->header_device ? spec->header_device : "") == 0 &&
		    strcmp(p->name, spec->name ? spec->name : "") == 0 &&
		    strcmp(p->uuid, spec->uuid ? spec->uuid : "") == 0)
			return true;
	return false;
}

int probe_new(struct probes *ps, const struct probe_spec *spec)
{
	struct probe *p;
	int r;

	if (!spec->done && is_queued(ps, spec))
		return 0;
	r = add_probe(ps, spec, &p);
	if (r < 0)
		return r;
	start_waiting(ps);
	return 0;
}

void probe_wait_no_longer(struct probes *ps)
{
	ps->hurried = true;
	start_waiting(ps);
	ps->owner->changed(ps->userdata);
}

/* Takes @control_fd. */
static int ask_adopted(struct probe *p, int control_fd)
{
	int r = worker_link_adopt(p->probes->event, control_fd, &handler, p, &p->link);

	return r < 0 ? r : worker_link_get_status(p->link);
}

int probe_adopt(struct probes *ps, const char *uuid, int control_fd)
{
	const struct probe_spec spec = {.uuid = uuid};
	struct probe *p;
	int r = add_probe(ps, &spec, &p);

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

void probe_close(struct probes *ps)
{
	ps->closed = true;
}

void probe_end_all(struct probes *ps, int error, const struct failure *f)
{
	assert(ps->closed); /* or those behind would begin */
	while (ps->first)
		finish(ps->first, NULL, error, f);
}

void probe_free_all(struct probes *ps)
{
	while (ps->first)
		probe_free(ps->first);
}
