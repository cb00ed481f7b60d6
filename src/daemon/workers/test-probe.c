/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/workers/probe.h"
#include "daemon/workers/store.h"
#include "util/error.h"

#define UUID_A "6a0a6c3e-0e6f-4ea5-9a25-00000000000a"
#define UUID_B "6a0a6c3e-0e6f-4ea5-9a25-00000000000b"
#define PLACES 8

/* A volume is known here by its address alone. */
struct volume {
	char unused;
};

/* In place of a worker that looks. */
struct worker_link {
	const struct worker_handler *handler;
	void *userdata;
	char device[16];
};

static struct worker_link links[PLACES];
static unsigned n_looking, n_retired;

static struct worker_link *link_at(const char *device)
{
	for (unsigned i = 0; i < PLACES; i++)
		if (links[i].handler && strcmp(links[i].device, device) == 0)
			return &links[i];
	return NULL;
}

/* The one that is there. */
static struct worker_link *the_link(const char *device)
{
	struct worker_link *l = link_at(device);

	if (!l)
		abort();
	return l;
}

static struct worker_link *take_place(const char *device, const struct worker_handler *handler,
				      void *userdata)
{
	unsigned i = 0;

	while (i < PLACES && links[i].handler)
		i++;
	if (i == PLACES)
		abort();
	links[i].handler = handler;
	links[i].userdata = userdata;
	(void)snprintf(links[i].device, sizeof(links[i].device), "%s", device);
	n_looking++;
	return &links[i];
}

int worker_link_spawn(sd_event *event, const struct worker_spec *spec,
		      const struct worker_handler *handler, void *userdata,
		      struct worker_link **ret)
{
	(void)event;
	*ret = take_place(spec->device, handler, userdata);
	return 0;
}

int worker_link_adopt(sd_event *event, int control_fd, const struct worker_handler *handler,
		      void *userdata, struct worker_link **ret)
{
	(void)event;
	(void)control_fd;
	*ret = take_place("adopted", handler, userdata);
	return 0;
}

struct worker_link *worker_link_free(struct worker_link *l)
{
	if (l) {
		l->handler = NULL;
		n_looking--;
	}
	return NULL;
}

void worker_link_retire(struct worker_link *l)
{
	n_retired++;
	(void)worker_link_free(l);
}

int worker_link_kill(struct worker_link *l, int *ret_pidfd)
{
	(void)l;
	(void)ret_pidfd;
	return -EBADF;
}

int worker_link_inspect(struct worker_link *l)
{
	assert_non_null(l->handler);
	return 0;
}

int worker_link_get_status(struct worker_link *l)
{
	assert_non_null(l->handler);
	return 0;
}

void worker_link_expect(struct worker_link *l, enum worker_job job)
{
	(void)l;
	(void)job;
}

void store_drop(const char *prefix, const char *uuid)
{
	(void)prefix;
	(void)uuid;
}

/* --- the owner --- */

static struct volume volume;
static struct {
	struct volume *known;
	int found_error;
	bool takes; /* the link */
	unsigned found, ended, changed;
	int error;           /* of the last that ended */
	enum worker_job job; /* of the last status */
} owner;

static struct worker_spec start(void *userdata, const char *uuid)
{
	(void)userdata;
	(void)uuid;
	return (struct worker_spec){};
}

static uint64_t timeout(void *userdata)
{
	(void)userdata;
	return UINT64_C(60000000);
}

static struct volume *find_known(void *userdata, const struct probe_spec *spec)
{
	(void)userdata;
	(void)spec;
	return owner.known;
}

static int on_found(void *userdata, struct probe_found *found, struct failure *f,
		    struct volume **ret)
{
	(void)userdata;
	(void)f;
	owner.found++;
	owner.job = found->status->job;
	if (owner.found_error < 0)
		return owner.found_error;
	if (owner.takes)
		found->link = NULL;
	*ret = &volume;
	return 0;
}

static void on_ended(void *userdata, const struct probe_spec *spec, struct volume *v, int error,
		     const struct failure *f)
{
	(void)userdata;
	owner.ended++;
	owner.error = error;
	if (spec->done)
		spec->done(v, error, f, spec->userdata);
}

static void on_changed(void *userdata)
{
	(void)userdata;
	owner.changed++;
}

static const struct probe_owner probe_owner = {.worker = start,
					       .timeout = timeout,
					       .known = find_known,
					       .found = on_found,
					       .ended = on_ended,
					       .changed = on_changed};

static struct stuck stuck;
static struct probes probes;

static int begin(void **state)
{
	memset(links, 0, sizeof(links));
	memset(&owner, 0, sizeof(owner));
	n_looking = n_retired = 0;
	stuck = (struct stuck){};
	probes = (struct probes){.stuck = &stuck, .owner = &probe_owner};
	assert_int_equal(sd_event_new(&probes.event), 0);
	*state = &probes;
	return 0;
}

static int end(void **state)
{
	(void)state;
	probe_free_all(&probes);
	sd_event_unref(probes.event);
	return 0;
}

static void ask(const char *device)
{
	const struct probe_spec spec = {.device = device, .quiet = true};

	assert_int_equal(probe_new(&probes, &spec), 0);
}

static void look(const char *device, const char *uuid)
{
	char text[40];
	struct worker_end e = {.job = WORKER_INSPECT, .look = {.valid = true, .uuid = text}};
	struct worker_link *l = the_link(device);

	(void)snprintf(text, sizeof(text), "%s", uuid);
	l->handler->ended(l->userdata, &e);
}

static void on_done(struct volume *v, int error, const struct failure *f, void *userdata)
{
	(void)v;
	(void)f;
	*(int *)userdata = error;
}

/* --- */

static void a_few_look_at_once(void **state)
{
	(void)state;
	ask("a");
	ask("b");
	ask("c");
	ask("d");
	ask("e");
	assert_int_equal(n_looking, 4);
	assert_null(link_at("e"));
	look("b", UUID_A);
	assert_non_null(link_at("e"));
	assert_int_equal(owner.ended, 1);
	assert_int_equal(n_retired, 1);
}

static void what_is_found_by_itself_is_looked_at_once(void **state)
{
	const struct probe_spec spec = {.device = "a", .done = on_done, .userdata = &(int){0}};

	(void)state;
	ask("a");
	ask("a");
	assert_int_equal(n_looking, 1);
	assert_int_equal(probe_new(&probes, &spec), 0); /* but a person means it */
	assert_int_equal(n_looking, 2);
}

static void what_is_known_is_not_looked_at(void **state)
{
	(void)state;
	owner.known = &volume;
	ask("a");
	assert_int_equal(n_looking, 0);
	assert_int_equal(owner.ended, 1);
	assert_int_equal(owner.error, 0);
}

static void the_owner_may_keep_the_worker(void **state)
{
	(void)state;
	owner.takes = true;
	ask("a");
	look("a", UUID_A);
	assert_int_equal(n_looking, 1);
	assert_int_equal(n_retired, 0);
}

static void a_refusal_is_the_answer(void **state)
{
	int error = 1;
	const struct probe_spec spec = {.device = "a", .done = on_done, .userdata = &error};

	(void)state;
	owner.found_error = -ENOTUNIQ;
	assert_int_equal(probe_new(&probes, &spec), 0);
	look("a", UUID_A);
	assert_int_equal(error, -ENOTUNIQ);
}

static void a_worker_that_dies_is_not_tried_for_ever(void **state)
{
	(void)state;
	ask("a");
	for (unsigned i = 0; i < 3; i++) {
		struct worker_link *l = the_link("a");

		assert_int_equal(owner.ended, 0);
		l->handler->died(l->userdata);
	}
	assert_null(link_at("a"));
	assert_int_equal(owner.error, -EIO);
}

static void an_adopted_worker_has_a_say_first(void **state)
{
	const struct worker_status status = {.job = WORKER_CONVERT};
	struct worker_link *l;

	(void)state;
	assert_int_equal(probe_adopt(&probes, UUID_A, 0), 0);
	ask("a");
	assert_null(link_at("a"));
	l = the_link("adopted");
	l->handler->status(l->userdata, 0, &status);
	look("adopted", UUID_A);
	assert_int_equal(owner.job, WORKER_CONVERT);
	assert_non_null(link_at("a"));
}

/* It ended its job after it had said that it was at it, and before it looked. */
static void what_an_adopted_one_ended_is_no_longer_its_job(void **state)
{
	const struct worker_status status = {.job = WORKER_CONVERT};
	struct worker_end e = {.job = WORKER_CONVERT};
	struct worker_link *l;

	(void)state;
	assert_int_equal(probe_adopt(&probes, UUID_A, 0), 0);
	l = the_link("adopted");
	l->handler->status(l->userdata, 0, &status);
	l->handler->ended(l->userdata, &e);
	look("adopted", UUID_A);
	assert_int_equal(owner.job, WORKER_NONE);
}

static void who_is_in_a_hurry_waits_for_no_adopted_one_but_its_own(void **state)
{
	(void)state;
	assert_int_equal(probe_adopt(&probes, UUID_A, 0), 0);
	ask("a");
	ask("b");
	probe_wait_no_longer(&probes);
	assert_non_null(link_at("a"));
	look("b", UUID_B);
	assert_int_equal(owner.found, 1);
	look("a", UUID_A); /* a second worker would write beside the first */
	assert_int_equal(owner.found, 1);
	assert_null(link_at("a"));
	look("adopted", UUID_A);
	assert_int_equal(owner.found, 2);
	assert_non_null(link_at("a"));
}

static void at_the_end_all_are_answered(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++)
		ask((char[]){(char)('a' + i), '\0'});
	probe_close(&probes);
	probe_end_all(&probes, -ERROR_SHUTTING_DOWN, &(struct failure){.text = "stopping"});
	assert_int_equal(owner.ended, 6);
	assert_int_equal(owner.error, -ERROR_SHUTTING_DOWN);
	assert_int_equal(n_looking, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_few_look_at_once),
		TEST(what_is_found_by_itself_is_looked_at_once),
		TEST(what_is_known_is_not_looked_at),
		TEST(the_owner_may_keep_the_worker),
		TEST(a_refusal_is_the_answer),
		TEST(a_worker_that_dies_is_not_tried_for_ever),
		TEST(an_adopted_worker_has_a_say_first),
		TEST(what_an_adopted_one_ended_is_no_longer_its_job),
		TEST(who_is_in_a_hurry_waits_for_no_adopted_one_but_its_own),
		TEST(at_the_end_all_are_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
