/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop.h"
#include "util/io.h"

struct host host;

/* A name of this program's own: others like it may run at the same time. */
static char config_path[] = "/tmp/test-manager-XXXXXX";

static const struct manager_options options = {.config_path = config_path, .no_devices = true};

static struct volume *volume_of(unsigned disk)
{
	return manager_volume_by_uuid(host.manager, world.disk[disk].uuid);
}

static void on_job_changed(struct job *j, uint64_t what, void *userdata)
{
	(void)what;
	(void)userdata;
	if (!job_ended(j))
		return;
	for (unsigned i = 0; i < host.n_issued; i++) {
		struct issued *o = &host.issued[i];

		if (o->job == j->id && o->manager == world.managers && !o->lost)
			check_job_end(o, j);
	}
}

static void start_manager(void)
{
	const struct manager_observer observer = {.job_changed = on_job_changed};
	int r;

	world.managers++;
	host.stopped = false;
	host.event = loop_new();
	r = manager_new(host.event, &options, &host.manager);
	assert(r == 0);
	manager_set_observer(host.manager, &observer);
	r = manager_start(host.manager);
	assert(r == 0);
}

static void end_manager(void)
{
	for (unsigned i = 0; i < host.n_issued; i++)
		host.issued[i].lost = true;
	host.manager = manager_free(host.manager);
	loop_free(host.event);
}

static void remove_config(void)
{
	(void)unlink(config_path);
}

static void write_config(const char *text)
{
	static const char *written;
	static int fd = -1;

	if (text == written)
		return;
	if (fd < 0) {
		fd = mkostemp(config_path, O_CLOEXEC);
		assert(fd >= 0 && atexit(remove_config) == 0);
	}
	assert(ftruncate(fd, 0) == 0);
	assert(pwrite_full(fd, text, strlen(text), 0) == 0);
	written = text;
}

static void note_sides(void)
{
	for (unsigned i = 0; i < world.n_disks; i++)
		memcpy(host.sides[i], world.disk[i].header.old_side, sizeof(host.sides[i]));
}

void host_begin(const struct scenario *s)
{
	world_reset(s->n_disks);
	world.provider = s->provider;
	world.keyslots = s->keyslots;
	world.upgrades = s->upgrades;
	world.managers = 0;
	host = (struct host){.scenario = s};
	note_sides();
	write_config(s->config);
	start_manager();
}

void host_end(void)
{
	end_manager();
	world_free();
}

void host_kill_manager(void)
{
	end_manager();
	start_manager();
}

void host_replace_manager(void)
{
	host_kill_manager();
}

void host_reboot(void)
{
	end_manager();
	world_reboot();
	start_manager();
}

static void on_done(struct volume *v, int error, const struct failure *f, void *userdata)
{
	struct issued *o = userdata;

	(void)v;
	(void)f;
	assert(!o->answered && !o->lost);
	o->answered = true;
	o->error = error;
	check_answer(o);
}

static void on_check_done(struct volume *v, int error, const struct failure *f,
			  const struct worker_end *end, void *userdata)
{
	(void)end;
	on_done(v, error, f, userdata);
}

static void on_stopped(void *userdata)
{
	(void)userdata;
	host.stopped = true;
}

/* Those that the manager knew by then. */
static void note_group(const struct job *j)
{
	memset(host.in_group, 0, sizeof(host.in_group));
	for (size_t i = 0; i < j->n_members; i++)
		host.in_group[world_disk(j->members[i].uuid)->number] = true;
	note_sides();
}

static int rotate(struct issued *o, struct volume *v, struct failure *f)
{
	struct rotate_options z = ROTATE_OPTIONS_NONE;
	const struct volume_filter all = {};
	struct job *j = NULL;
	int r;

	z.queue = o->op.kind == OP_ROTATE_AFTER;
	z.lose_keyslots = o->op.kind == OP_ROTATE_LOSING;
	if (o->op.kind == OP_ROTATE_ALL)
		r = manager_rotate_all(host.manager, &all, &z, f, &j);
	else if (o->op.kind == OP_CANCEL)
		r = volume_cancel(v, &(struct run_choices){}, f, &j);
	else
		r = volume_rotate(v, &z, f, &j);
	if (r < 0)
		return r;
	if (o->op.kind == OP_ROTATE_ALL)
		note_group(j);
	o->answered = true; /* that the job exists */
	o->job = j->id;
	/* It may be over already. */
	if (job_ended(j))
		check_job_end(o, j);
	return 0;
}

static int unlock(struct issued *o, struct volume *v, struct failure *f)
{
	const struct unlock_options z = {.keyslot = o->op.kind == OP_UNLOCK_WRONG   ? WRONG_KEYSLOT
						    : o->op.kind == OP_UNLOCK_FIRST ? 0
										    : -1};
	const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int r;

	assert(fd >= 0);
	r = volume_unlock(v, fd, &z, f, on_done, o);
	(void)close(fd);
	if (r == 0)
		world.disk[o->op.disk].unlocked_by_person = true;
	return r;
}

static int remove_and_add(struct issued *o, struct volume *v, struct failure *f)
{
	int r = manager_remove_volume(host.manager, v, false, f);

	if (r < 0)
		return r;
	return manager_add_volume(host.manager, world.disk[o->op.disk].path, NULL, f, on_done, o);
}

static int call(struct issued *o, struct volume *v, struct failure *f)
{
	static const struct resume_options resume;

	switch (o->op.kind) {
	case OP_ROTATE:
	case OP_ROTATE_AFTER:
	case OP_ROTATE_LOSING:
	case OP_ROTATE_ALL:
	case OP_CANCEL:
		return rotate(o, v, f);
	case OP_SUSPEND:
		return volume_suspend(v, "why", f, on_done, o);
	case OP_RESUME:
		return volume_resume(v, &resume, f, on_done, o);
	case OP_UNLOCK:
	case OP_UNLOCK_FIRST:
	case OP_UNLOCK_WRONG:
		return unlock(o, v, f);
	case OP_LOCK:
		return volume_lock(v, f, on_done, o);
	case OP_RATE:
		return volume_set_rate_limit(v, o->op.disk + 1, f, on_done, o);
	case OP_CHECK:
		return volume_check(v, NULL, f, on_check_done, o);
	case OP_REMOVE:
		return remove_and_add(o, v, f);
	case OP_RESTART:
		o->answered = true;
		manager_stop(host.manager, on_stopped, NULL);
		return 0;
	}
	return 0;
}

static void issue(const struct op *op)
{
	struct issued *o = &host.issued[host.n_issued++];
	const struct header *h = &world.disk[op->disk].header;
	struct volume *v = volume_of(op->disk);
	struct failure f = {};

	*o = (struct issued){.op = *op, .manager = world.managers};
	memcpy(o->side, h->backward ? h->new_side : h->old_side, sizeof(o->side));
	if (!v && op->kind != OP_ROTATE_ALL && op->kind != OP_RESTART) {
		o->refused = true; /* the volume is not known yet */
		return;
	}
	o->refused = call(o, v, &f) < 0;
	assert(!o->refused || *f.text);
	assert(!o->refused || !o->answered);
}

void host_issue(void)
{
	assert(host.n_issued < host.scenario->n_ops);
	issue(&host.scenario->ops[host.n_issued]);
}

static void ignore(struct volume *v, int error, const struct failure *f, void *userdata)
{
	(void)v;
	(void)error;
	(void)f;
	(void)userdata;
}

bool host_help(void)
{
	static const struct resume_options resume;
	const struct unlock_options right = {.keyslot = -1};
	struct failure f;
	bool any = false;

	host.helped++;
	for (unsigned i = 0; i < world.n_disks; i++) {
		struct volume *v = volume_of(i);
		int fd;

		/* After a disk has hung, a person has it looked at again. */
		if (!v || (world.hung && host.helped == 1)) {
			any = manager_add_volume(host.manager, world.disk[i].path, NULL, &f, ignore,
						 NULL) == 0 ||
			      any;
			continue;
		}
		switch (v->status.state) {
		case VOLUME_LOCKED:
			fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
			any = volume_unlock(v, fd, &right, &f, ignore, NULL) == 0 || any;
			world.disk[i].unlocked_by_person = true;
			(void)close(fd);
			break;
		case VOLUME_PREPARING:
			if (v->group)
				break;
			/* fall through */
		case VOLUME_SUSPENDED:
		case VOLUME_FAILED: /* checks.c says when it may be */
			any = volume_resume(v, &resume, &f, ignore, NULL) == 0 || any;
			break;
		case VOLUME_IDLE:
		case VOLUME_QUEUED:
		case VOLUME_RUNNING:
		case VOLUME_REVERSING:
		case VOLUME_FINISHING:
		case VOLUME_ABSENT:
		case VOLUME_STATE_COUNT:
			break;
		}
	}
	return any;
}
