/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lock that keeps the host awake, from a logind at the other end of a socket. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/control/inhibit.h"
#include "daemon/control/test-volume.h"
#include "util/log.h"

#define LOGIND "org.freedesktop.login1"

/* In place of logind. */
static struct {
	sd_bus *bus, *ours;
	unsigned asked;
	int held;   /* it is readable (HUP) when the lock is let go */
	int refuse; /* an errno, instead of a lock */
	bool late;  /* the answer waits in @question */
	sd_bus_message *question;
} logind;
static struct inhibit *inhibit;

static int give_lock(sd_bus_message *m)
{
	int fds[2], r;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	logind.held = fds[0];
	r = sd_bus_reply_method_return(m, "h", fds[1]);
	(void)close(fds[1]);
	return r;
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *what, *who, *why, *mode;

	(void)userdata;
	(void)error;
	if (!sd_bus_message_is_method_call(m, LOGIND ".Manager", "Inhibit"))
		return 0;
	assert_true(sd_bus_message_read(m, "ssss", &what, &who, &why, &mode) > 0);
	assert_string_equal(what, "sleep:shutdown");
	assert_string_equal(mode, "delay"); /* nobody is refused to sleep */
	assert_true(*who && *why);
	logind.asked++;
	if (logind.refuse)
		return sd_bus_reply_method_errno(m, logind.refuse, NULL);
	if (logind.late) {
		logind.question = sd_bus_message_ref(m);
		return 1;
	}
	return give_lock(m);
}

static int begin(void **state)
{
	struct manager *m;
	sd_id128_t id;
	int fds[2], r = test_begin(state);

	m = *state;
	memset(&logind, 0, sizeof(logind));
	logind.held = -1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
			 0);
	assert_true(sd_bus_new(&logind.bus) >= 0 && sd_bus_new(&logind.ours) >= 0);
	assert_true(sd_id128_randomize(&id) >= 0);
	assert_true(sd_bus_set_fd(logind.bus, fds[0], fds[0]) >= 0);
	assert_true(sd_bus_set_server(logind.bus, 1, id) >= 0);
	assert_true(sd_bus_negotiate_fds(logind.bus, 1) >= 0);
	assert_true(sd_bus_set_fd(logind.ours, fds[1], fds[1]) >= 0);
	assert_true(sd_bus_negotiate_fds(logind.ours, 1) >= 0);
	assert_true(sd_bus_add_filter(logind.bus, NULL, on_call, NULL) >= 0);
	assert_true(sd_bus_start(logind.bus) >= 0 && sd_bus_start(logind.ours) >= 0);
	assert_true(sd_bus_attach_event(logind.bus, m->event, 0) >= 0);
	assert_true(sd_bus_attach_event(logind.ours, m->event, 0) >= 0);
	test_turn(m);
	return r;
}

static int end(void **state)
{
	inhibit = inhibit_free(inhibit);
	sd_bus_message_unref(logind.question);
	(void)sd_bus_flush_close_unref(logind.bus);
	(void)sd_bus_flush_close_unref(logind.ours);
	if (logind.held >= 0)
		(void)close(logind.held);
	return test_end(state);
}

static void start(struct manager *m)
{
	assert_int_equal(inhibit_new(m, logind.ours, &inhibit), 0);
	test_turn(m);
}

static void changed(struct manager *m)
{
	inhibit_work_changed(inhibit);
	test_turn(m);
}

static bool is_held(void)
{
	struct pollfd p = {.fd = logind.held, .events = POLLIN};

	return logind.held >= 0 && poll(&p, 1, 0) == 0;
}

static void announce(struct manager *m, const char *signal, int begins)
{
	sd_bus_message *s;

	assert_true(sd_bus_message_new_signal(logind.bus, &s, "/org/freedesktop/login1",
					      LOGIND ".Manager", signal) >= 0);
	assert_true(sd_bus_message_set_sender(s, LOGIND) >= 0);
	assert_true(sd_bus_message_append(s, "b", begins) >= 0);
	assert_true(sd_bus_send(logind.bus, s, NULL) >= 0);
	sd_bus_message_unref(s);
	test_turn(m);
}

static struct volume *convert(struct manager *m)
{
	static const struct rotate_options options = ROTATE_OPTIONS_NONE;
	struct volume *v = test_volume(m, TEST_UUID_1);
	struct failure f;
	struct job *j;

	assert_int_equal(volume_rotate(v, &options, &f, &j), 0);
	test_turn(m);
	test_unlock(v);
	test_convert(v);
	return v;
}

static void without_work_the_host_may_sleep(void **state)
{
	(void)test_volume(*state, TEST_UUID_1);
	start(*state);
	changed(*state);
	assert_int_equal(logind.asked, 0);
}

static void only_work_that_is_or_comes_holds_the_lock(void **state)
{
	static const bool works[VOLUME_STATE_COUNT] = {
		[VOLUME_QUEUED] = true,    [VOLUME_PREPARING] = true, [VOLUME_RUNNING] = true,
		[VOLUME_REVERSING] = true, [VOLUME_FINISHING] = true,
	};
	struct volume *v = test_volume(*state, TEST_UUID_1);

	(void)test_volume(*state, TEST_UUID_2); /* which is idle */
	start(*state);
	for (int s = 0; s < VOLUME_STATE_COUNT; s++) {
		v->status.state = (enum volume_state)s;
		changed(*state);
		assert_int_equal(is_held(), works[s]);
	}
}

static void it_is_taken_once_and_let_go_at_the_end(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	v->status.state = VOLUME_RUNNING;
	start(*state);
	assert_true(is_held());
	changed(*state);
	inhibit_work_changed(inhibit);
	changed(*state);
	assert_int_equal(logind.asked, 1);
	v->status.state = VOLUME_SUSPENDED;
	changed(*state);
	assert_false(is_held());
	v->status.state = VOLUME_RUNNING;
	changed(*state);
	assert_true(is_held());
	inhibit = inhibit_free(inhibit);
	assert_false(is_held());
}

static void sleep_waits_for_the_hotzone_and_then_work_goes_on(void **state)
{
	struct volume *v = convert(*state);

	start(*state);
	announce(*state, "PrepareForSleep", 1);
	assert_int_equal(v->worker.link->stops, 1);
	changed(*state);
	assert_true(is_held());
	test_ended(v, WORKER_CONVERT, -EINTR, REENCRYPTION_CLEAN);
	assert_false(is_held());
	changed(*state); /* it is queued now, and the lock would hold up the sleep for seconds */
	assert_int_equal(logind.asked, 1);
	announce(*state, "PrepareForSleep", 0);
	assert_int_equal(v->worker.job, WORKER_CONVERT);
	assert_true(is_held());
}

static void a_shutdown_is_waited_for_as_well(void **state)
{
	struct volume *v = convert(*state);

	start(*state);
	announce(*state, "PrepareForShutdown", 1);
	assert_true(is_held());
	test_ended(v, WORKER_CONVERT, -EINTR, REENCRYPTION_CLEAN);
	assert_false(is_held());
}

static void a_lock_that_comes_after_the_announcement_is_let_go(void **state)
{
	struct manager *m = *state;
	const struct volume *v = convert(m);

	logind.late = true;
	start(m);
	assert_non_null(logind.question);
	changed(m);
	assert_int_equal(logind.asked, 1); /* the answer is on its way */
	announce(m, "PrepareForSleep", 1);
	assert_int_equal(v->worker.job, WORKER_CONVERT);
	assert_true(give_lock(logind.question) >= 0);
	test_turn(m);
	assert_false(is_held());
}

/* And one that comes when the work is over. */
static void a_lock_that_nobody_needs_any_more_is_let_go(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	logind.late = true;
	v->status.state = VOLUME_RUNNING;
	start(*state);
	v->status.state = VOLUME_IDLE;
	assert_true(give_lock(logind.question) >= 0);
	test_turn(*state);
	assert_false(is_held());
}

static void without_a_logind_work_goes_on(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	logind.refuse = ENOSYS;
	v->status.state = VOLUME_RUNNING;
	start(*state);
	assert_int_equal(logind.asked, 1);
	logind.refuse = 0; /* it has been started */
	changed(*state);
	assert_true(is_held());
}

static void without_a_bus_nothing_happens(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	start(*state);
	sd_bus_close(logind.ours);
	v->status.state = VOLUME_RUNNING;
	changed(*state);
	assert_int_equal(logind.asked, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_work_the_host_may_sleep),
		TEST(only_work_that_is_or_comes_holds_the_lock),
		TEST(it_is_taken_once_and_let_go_at_the_end),
		TEST(sleep_waits_for_the_hotzone_and_then_work_goes_on),
		TEST(a_shutdown_is_waited_for_as_well),
		TEST(a_lock_that_comes_after_the_announcement_is_let_go),
		TEST(a_lock_that_nobody_needs_any_more_is_let_go),
		TEST(without_a_logind_work_goes_on),
		TEST(without_a_bus_nothing_happens),
	};

	log_init("test-inhibit", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
