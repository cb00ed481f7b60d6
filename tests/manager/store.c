/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What outlives a manager: the fd store of systemd, and what the host remembers of each volume. And
 * what a simulated host has none of: udev, clones, the journal.
 */
#include "world.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/control/discover.h"
#include "daemon/workers/duplicates.h"
#include "daemon/control/events.h"
#include "daemon/state/state-dir.h"
#include "daemon/workers/probe.h"
#include "daemon/workers/store.h"
#include "util/text.h"

#define ENTRIES_MAX (DISKS_MAX * 4)

struct entry {
	char name[64];
	int fd; /* of a worker: the number that stands for its socket */
	bool inherited;
};

static struct entry entries[ENTRIES_MAX];
static unsigned n_entries;

static bool is_worker(const struct entry *e)
{
	return strncmp(e->name, STORE_WORKER, strlen(STORE_WORKER)) == 0;
}

static void drop(unsigned i)
{
	if (!is_worker(&entries[i]))
		(void)close(entries[i].fd);
	entries[i] = entries[--n_entries];
}

void store_reset(void)
{
	while (n_entries > 0)
		drop(0);
}

static struct entry *find(const char *prefix, const char *uuid)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s%s", prefix, uuid);
	for (unsigned i = 0; i < n_entries; i++)
		if (strcmp(entries[i].name, name) == 0)
			return &entries[i];
	return NULL;
}

static int fd_for_manager(const struct entry *e)
{
	return is_worker(e) ? e->fd : fcntl(e->fd, F_DUPFD_CLOEXEC, 0);
}

int store_open(void)
{
	for (unsigned i = 0; i < n_entries; i++)
		entries[i].inherited = true;
	return 0;
}

void store_close(void)
{
}

bool store_next(const char *prefix, char uuid[static 37], int *ret_fd)
{
	const size_t length = strlen(prefix);

	for (unsigned i = 0; i < n_entries; i++) {
		struct entry *e = &entries[i];

		if (!e->inherited || strncmp(e->name, prefix, length) != 0)
			continue;
		e->inherited = false;
		(void)text_copy(uuid, 37, e->name + length);
		*ret_fd = fd_for_manager(e);
		return true;
	}
	return false;
}

int store_take(const char *prefix, const char *uuid)
{
	struct entry *e = find(prefix, uuid);

	if (!e || !e->inherited)
		return -1;
	e->inherited = false;
	return fd_for_manager(e);
}

bool store_put(const char *prefix, const char *uuid, int fd)
{
	struct entry e = {.fd = fd};

	store_drop(prefix, uuid);
	(void)snprintf(e.name, sizeof(e.name), "%s%s", prefix, uuid);
	if (!is_worker(&e))
		e.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	assert(n_entries < ENTRIES_MAX && e.fd >= 0);
	entries[n_entries++] = e;
	return true;
}

void store_drop(const char *prefix, const char *uuid)
{
	struct entry *e = find(prefix, uuid);

	if (e)
		drop((unsigned)(e - entries));
}

static struct entry *entry_of(const struct worker *w)
{
	struct entry *e = find(STORE_WORKER, w->disk->uuid);

	return e && e->fd % 10000 == (int)w->number ? e : NULL;
}

bool store_has_worker(const struct worker *w)
{
	return entry_of(w);
}

void store_worker_died(const struct worker *w)
{
	struct entry *e = entry_of(w);

	if (e)
		drop((unsigned)(e - entries));
}

bool store_has_keys(const char *uuid)
{
	return find(STORE_OLD_KEY, uuid) || find(STORE_NEW_KEY, uuid);
}

void store_notify_ready(void)
{
}

void store_notify_reloading(void)
{
}

void store_notify_stopping(void)
{
}

void store_notify_status(const char *text)
{
	(void)text;
}

/* --- what the host remembers: durable once it is saved --- */

static struct remembered memories[DISKS_MAX];

static char *copy(const char *text)
{
	char *c = text ? strdup(text) : NULL;

	assert(!text || c);
	return c;
}

void remembered_clear(struct remembered *r)
{
	free(r->written);
	free(r->pending);
	*r = (struct remembered){};
}

static struct remembered copy_of(const struct remembered *r)
{
	return (struct remembered){.written = copy(r->written),
				   .pending = copy(r->pending),
				   .serial = r->serial,
				   .sequence = r->sequence};
}

void remembered_load(const char *dir, const char *uuid, struct remembered *ret)
{
	(void)dir;
	*ret = copy_of(&memories[world_disk(uuid)->number]);
}

int remembered_save(const char *dir, const char *uuid, const struct remembered *r)
{
	struct remembered *m = &memories[world_disk(uuid)->number];

	(void)dir;
	remembered_clear(m);
	*m = copy_of(r);
	return 0;
}

void remembered_forget(const char *dir, const char *uuid)
{
	(void)dir;
	remembered_clear(&memories[world_disk(uuid)->number]);
}

static char *kept_jobs; /* the one file of these that the manager has */

char *state_dir_read(const struct state_dir_file *file)
{
	return strcmp(file->name, "kept-jobs") == 0 ? copy(kept_jobs) : NULL;
}

void state_dir_write(const struct state_dir_file *file, const char *text)
{
	if (strcmp(file->name, "kept-jobs") != 0)
		return;
	free(kept_jobs);
	kept_jobs = copy(text);
}

void state_dir_put_aside(const struct state_dir_file *file)
{
	(void)file;
	assert(false);
}

void memory_reset(void)
{
	free(kept_jobs);
	kept_jobs = NULL;
	for (unsigned i = 0; i < DISKS_MAX; i++)
		remembered_clear(&memories[i]);
}

/* --- what there is none of --- */

char *duplicates_device_id(struct node n)
{
	(void)n;
	return NULL;
}

char *duplicates_find(const char *uuid)
{
	(void)uuid;
	return NULL;
}

int duplicates_check(const struct worker_look *look, const char *named, const char *known,
		     char **ret_instead, struct failure *f)
{
	(void)look;
	(void)named;
	(void)known;
	(void)ret_instead;
	(void)f;
	return 0;
}

void event_volume(const struct volume *v, const struct event *e, const char *format, ...)
{
	(void)v;
	(void)e;
	(void)format;
}

const char *event_cause(const struct volume *v, const char *text)
{
	(void)v;
	return text;
}

/* All disks are there from the start. */
int discover_new(struct manager *m, struct discover **ret)
{
	*ret = NULL;
	for (unsigned i = 0; i < world.n_disks; i++) {
		const struct probe_spec spec = {.device = world.disk[i].path, .quiet = true};
		int r = probe_new(&m->core->probes, &spec);

		assert(r == 0);
	}
	return 0;
}

void discover_configured(struct discover *d)
{
	(void)d;
}

bool discover_is_reading(const struct discover *d)
{
	(void)d;
	return false;
}

void discover_mappings(struct discover *d)
{
	(void)d;
}

struct discover *discover_free(struct discover *d)
{
	(void)d;
	return NULL;
}
