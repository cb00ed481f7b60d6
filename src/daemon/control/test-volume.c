/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/control/events.h"
#include "daemon/control/test-volume.h"

struct test_events test_events;
static sd_event *event;

/* --- in place of the journal --- */

void event_volume(const struct volume *v, const struct event *e, const char *format, ...)
{
	(void)v;
	(void)format;
	test_events.n++;
	test_events.last = e->id;
}

const char *event_cause(const struct volume *v, const char *text)
{
	(void)v;
	return text;
}

/* --- in place of workers --- */

struct worker_link *test_link(void)
{
	struct worker_link *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	return l;
}

static struct worker_link *spawned;

struct worker_link *test_spawned(void)
{
	return spawned;
}

int worker_link_spawn(sd_event *e, const struct worker_spec *spec,
		      const struct worker_handler *handler, void *userdata,
		      struct worker_link **ret)
{
	(void)e;
	*ret = spawned = test_link();
	spawned->handler = handler;
	spawned->userdata = userdata;
	spawned->device = strdup(spec->device);
	assert_non_null(spawned->device);
	return 0;
}

int worker_link_adopt(sd_event *e, int control_fd, const struct worker_handler *handler,
		      void *userdata, struct worker_link **ret)
{
	(void)e;
	(void)control_fd;
	*ret = spawned = test_link();
	spawned->adopted = true;
	spawned->handler = handler;
	spawned->userdata = userdata;
	return 0;
}

struct worker_link *worker_link_free(struct worker_link *l)
{
	if (!l)
		return NULL;
	if (l == spawned)
		spawned = NULL;
	free(l->record);
	free(l->device);
	free(l);
	return NULL;
}

void worker_link_retire(struct worker_link *l)
{
	(void)worker_link_free(l);
}

void worker_link_free_retired(void)
{
}

int worker_link_kill(struct worker_link *l, int *ret_pidfd)
{
	(void)l;
	(void)ret_pidfd;
	return -EBADF; /* there is no process */
}

void worker_link_set_handler(struct worker_link *l, const struct worker_handler *handler,
			     void *userdata)
{
	(void)l;
	(void)handler;
	(void)userdata;
}

int worker_link_control_fd(const struct worker_link *l)
{
	(void)l;
	return STDIN_FILENO;
}

static int begin_job(struct worker_link *l, enum worker_job job)
{
	/* One at a time, but for these. */
	assert_true(l->job == WORKER_NONE || (l->job == WORKER_CONVERT && job == WORKER_REVERSE) ||
		    (l->adopted && job == WORKER_INSPECT));
	l->job = job;
	return 0;
}

int worker_link_inspect(struct worker_link *l)
{
	return begin_job(l, WORKER_INSPECT);
}

int worker_link_unlock(struct worker_link *l, int fd, const struct unlock_options *options)
{
	(void)fd;
	(void)options;
	return begin_job(l, WORKER_UNLOCK);
}

int worker_link_use_provider(struct worker_link *l, const struct provider *provider)
{
	(void)provider;
	return begin_job(l, WORKER_USE_PROVIDER);
}

int worker_link_adopt_keys(struct worker_link *l, int old_fd, int new_fd)
{
	(void)old_fd;
	(void)new_fd;
	return begin_job(l, WORKER_ADOPT);
}

int worker_link_check(struct worker_link *l, const struct rotate_options *options,
		      const struct run_options *run)
{
	(void)options;
	(void)run;
	return begin_job(l, WORKER_CHECK);
}

int worker_link_prepare(struct worker_link *l, const struct rotate_options *options,
			const struct run_options *run)
{
	(void)options;
	l->run = *run;
	return begin_job(l, WORKER_PREPARE);
}

int worker_link_run(struct worker_link *l, enum worker_job job, const struct run_options *options)
{
	l->run = *options;
	return begin_job(l, job);
}

void worker_link_expect(struct worker_link *l, enum worker_job job)
{
	l->job = job;
}

int worker_link_get_status(struct worker_link *l)
{
	(void)l;
	return 0;
}

int worker_link_lock(struct worker_link *l)
{
	(void)l;
	return 0;
}

int worker_link_stop(struct worker_link *l)
{
	l->stops++;
	return 0;
}

int worker_link_set_limits(struct worker_link *l, const struct worker_limits *limits)
{
	l->limits = *limits;
	l->limits_told++;
	return 0;
}

int worker_link_set_governor(struct worker_link *l, const struct governor_config *governor)
{
	l->governor = *governor;
	l->governor_told++;
	return 0;
}

int worker_link_set_record(struct worker_link *l, const char *json)
{
	assert_null(l->record); /* one is on its way at most */
	l->record = strdup(json);
	assert_non_null(l->record);
	return 0;
}

int worker_link_set_identity(struct worker_link *l, const struct identity *identity)
{
	(void)l;
	(void)identity;
	return 0;
}

/* --- the volumes --- */

static struct worker_link *link_of(const struct volume *v)
{
	if (!v->worker.link)
		abort();
	return v->worker.link;
}

int test_begin(void **state)
{
	static const struct manager_options options = {.config_path = "/nonexistent/recryptd.conf",
						       .no_devices = true};
	struct manager *m;

	test_events = (struct test_events){};
	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(manager_new(event, &options, &m), 0);
	*state = m;
	return 0;
}

int test_end(void **state)
{
	*state = manager_free(*state);
	event = sd_event_unref(event);
	return 0;
}

static char *copy(const char *text)
{
	char *c = strdup(text);

	assert_non_null(c);
	return c;
}

struct worker_look test_look(const char *uuid, enum reencryption reencryption)
{
	const bool none = reencryption == REENCRYPTION_NONE;
	struct worker_look look = {
		.valid = true,
		.uuid = copy(uuid),
		.device = copy("/dev/test"),
		.header_device = copy("/dev/test"),
		.name = copy(""),
		.record = copy(""),
		.node = {.device = 1, .inode = (uint64_t)(unsigned char)uuid[35]},
		.reencryption = reencryption,
		.parameters.old_cipher = "aes-xts-plain64",
		.parameters.new_cipher = "aes-xts-plain64",
		.parameters.mode = "reencrypt",
		.parameters.direction = "forward",
		.progress = {.bytes_total = 1000},
		.supported = true,
		.old_side = "old",
	};

	look.header_node = look.node;
	if (!none)
		strcpy(look.new_side, "new");
	return look;
}

void test_look_clear(struct worker_look *look)
{
	free(look->uuid);
	free(look->device);
	free(look->header_device);
	free(look->name);
	free(look->record);
}

struct volume *test_volume(struct manager *m, const char *uuid)
{
	struct worker_look look = test_look(uuid, REENCRYPTION_NONE);
	struct volume *v;

	assert_int_equal(volume_new(m, &look, test_link(), false, &v), 0);
	test_look_clear(&look);
	test_turn(m);
	return v;
}

void test_turn(struct manager *m)
{
	while (sd_event_run(m->event, 0) > 0)
		;
}

void test_ended(struct volume *v, enum worker_job job, int error, enum reencryption reencryption)
{
	struct worker_end e = {.job = job, .error = error, .failure = {"Test", "a test"}};

	e.look = test_look(v->uuid, reencryption);
	/* What is written is what the next look finds. */
	free(e.look.record);
	e.look.record = copy(v->token.json ?: "");
	if (job == WORKER_CONVERT && error == 0 && reencryption == REENCRYPTION_NONE) {
		e.outcome = OUTCOME_FINISHED;
		strcpy(e.look.old_side, "new");
	}
	if (link_of(v)->job == job)
		link_of(v)->job = WORKER_NONE;
	volume_worker_handler.ended(v, &e);
	test_look_clear(&e.look);
	test_turn(v->manager);
}

void test_written(struct volume *v, int error)
{
	static const struct failure f = {"Test", "a test"};

	assert_non_null(link_of(v)->record);
	free(link_of(v)->record);
	link_of(v)->record = NULL;
	volume_worker_handler.replied(v, WORKER_CALL_SET_RECORD, error, &f);
	test_turn(v->manager);
}

void test_unlock(struct volume *v)
{
	static const struct unlock_options options = {.keyslot = -1};
	const int fd = memfd_create("secret", MFD_CLOEXEC);
	struct failure f;

	assert_int_equal(volume_unlock(v, fd, &options, &f, NULL, NULL), 0);
	(void)close(fd);
	test_turn(v->manager);
	if (link_of(v)->job == WORKER_INSPECT)
		test_ended(v, WORKER_INSPECT, 0, v->header.reencryption);
	assert_int_equal(link_of(v)->job, WORKER_UNLOCK);
	test_ended(v, WORKER_UNLOCK, 0, v->header.reencryption);
}

static void write_all(struct volume *v)
{
	while (v->worker.link && link_of(v)->record)
		test_written(v, 0);
}

void test_convert(struct volume *v)
{
	write_all(v);
	assert_int_equal(link_of(v)->job, WORKER_PREPARE);
	test_ended(v, WORKER_PREPARE, 0, REENCRYPTION_CLEAN);
	write_all(v);
	assert_int_equal(link_of(v)->job, WORKER_CONVERT);
}
