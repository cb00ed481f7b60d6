/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A real worker with --foreground, and a recryptctl of a few lines: the worker asks, and does
 * nothing to the volume before it is answered; when nobody is there any more it ends with a clean
 * header. Needs root, as the lock directory of cryptsetup does.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/messages.h"
#include "util/cleanup.h"
#include "worker/test-service-support.h"

#define MIB UINT64_C(1048576)

#define _cleanup_message_ _cleanup_(sd_bus_message_unrefp)

static void run_verb(struct worker *w, enum foreground_verb verb)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	_cleanup_message_ sd_bus_message *m = NULL;
	struct foreground_order order;

	message_init(MESSAGE_FOREGROUND, &order);
	order.rotation.force_offline = true;
	order.foreground.verb = verb;
	order.foreground.tries = 3;
	order.foreground.try_tokens = true;
	assert_true(sd_bus_message_new_method_call(w->bus, &m, NULL, SERVICE_PATH,
						   SERVICE_INTERFACE, "RunInForeground") >= 0);
	assert_true(message_append(m, MESSAGE_FOREGROUND, &order) >= 0);
	if (sd_bus_call(w->bus, m, LIMIT, &error, NULL) < 0)
		fail_msg("%s: %s", error.name, error.message);
}

/* The next question, which must be of this kind; its number. */
static uint32_t question(struct worker *w, const char *kind)
{
	_cleanup_message_ sd_bus_message *m = wait_signal(w, "Question");

	assert_string_equal(get_text(m, "Kind"), kind);
	return (uint32_t)get_number(m, "Number");
}

/* @secret: NULL for none. */
static void answer(struct worker *w, uint32_t number, int error, const char *secret)
{
	_cleanup_close_ int fd = secret ? secret_memfd(secret, strlen(secret)) : -1;

	if (secret)
		call(w, "Answer", "a{sv}ah", 1, "Number", "u", number, 1, fd);
	else if (error)
		call(w, "Answer", "a{sv}ah", 2, "Number", "u", number, "Error", "u", error, 0);
	else
		call(w, "Answer", "a{sv}ah", 1, "Number", "u", number, 0);
}

/* What stands in the way is in the log, where it was not said to whoever answers. */
static void assert_ended(struct worker *w, const char *error)
{
	_cleanup_message_ sd_bus_message *m = wait_signal(w, "Done");
	const char *job, *name;
	int number;

	assert_true(sd_bus_message_read(m, "sis", &job, &number, &name) >= 0);
	assert_string_equal(job, "foreground");
	assert_string_equal(name, error);
	assert_int_equal(number < 0, *error != '\0');
	worker_wait_code(w, *error ? 1 : 0);
}

static void begin(struct worker *w, const char *format_options, enum foreground_verb verb)
{
	make_volume(8, format_options);
	RUN("cp image before");
	worker_start_in_foreground(w);
	run_verb(w, verb);
	answer(w, question(w, "volume-key"), 0, NULL);
	answer(w, question(w, "new-volume-key"), 0, NULL);
}

static void a_person_is_asked_until_it_is_right(void **state)
{
	struct worker w;
	_cleanup_message_ sd_bus_message *m = NULL;
	uint32_t number;

	(void)state;
	begin(&w, "", FOREGROUND_REENCRYPT);
	number = question(&w, "passphrase");
	answer(&w, number - 1, 0, "a"); /* to the question before: nobody waits for it */
	answer(&w, number, 0, "b");
	m = wait_signal(&w, "Question");
	assert_string_equal(get_text(m, "Kind"), "passphrase");
	assert_int_equal(get_number(m, "Again"), 1);
	RUN("cmp image before");
	answer(&w, (uint32_t)get_number(m, "Number"), 0, "a");
	answer(&w, question(&w, "show-progress"), 0, NULL);
	answer(&w, question(&w, "leave-progress"), 0, NULL);
	assert_ended(&w, "");
	assert_plaintext("a");
	assert_int_not_equal(run("cmp image before"), 0);
}

static void who_gives_up_changes_nothing(void **state)
{
	struct worker w;

	(void)state;
	begin(&w, "", FOREGROUND_REENCRYPT);
	answer(&w, question(&w, "passphrase"), EINTR, NULL);
	assert_ended(&w, "Cancelled");
	RUN("cmp image before");
}

static void keyslots_are_lost_only_by_agreement(void **state)
{
	struct worker w;
	uint32_t number;

	(void)state;
	make_volume(8, "");
	RUN("cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "
	    "pass-a "
	    "image pass-b && cp image before");
	worker_start_in_foreground(&w);
	run_verb(&w, FOREGROUND_REENCRYPT);
	answer(&w, question(&w, "volume-key"), 0, NULL);
	answer(&w, question(&w, "new-volume-key"), 0, NULL);
	answer(&w, question(&w, "passphrase"), 0, "a");
	answer(&w, question(&w, "passphrase"), ENOKEY, NULL);
	number = question(&w, "lose-keyslots");
	RUN("cmp image before");
	answer(&w, number, ECANCELED, NULL);
	assert_ended(&w, "Cancelled");
	RUN("cmp image before");
}

/* Its question is never answered. */
static void a_worker_that_is_left_alone_ends(void **state)
{
	struct worker w;

	(void)state;
	begin(&w, "", FOREGROUND_REENCRYPT);
	(void)question(&w, "passphrase");
	(void)close(w.control_fd);
	w.control_fd = -1;
	worker_wait_code(&w, 1);
	RUN("cmp image before");
}

static void assert_clean(void)
{
	struct worker w;
	_cleanup_message_ sd_bus_message *m = NULL;

	worker_start(&w, NULL);
	m = inspect(&w);
	assert_string_equal(get_text(m, "Reencryption"), "clean");
	assert_true(get_number(m, "BytesDone") > 0 && get_number(m, "BytesDone") < 8 * MIB);
	worker_quit(&w);
}

/* Converting, at a rate that leaves time for whatever comes. */
static void convert_slowly(struct worker *w)
{
	_cleanup_message_ sd_bus_message *m = NULL;

	begin(w, "", FOREGROUND_REENCRYPT);
	call(w, "SetLimits", "ttt", MIB, UINT64_C(0), UINT64_C(0));
	answer(w, question(w, "passphrase"), 0, "a");
	answer(w, question(w, "show-progress"), 0, NULL);
	do {
		sd_bus_message_unref(m);
		m = wait_signal(w, "Progress");
	} while (get_number(m, "BytesDone") == 0);
}

static void the_end_of_the_connection_leaves_a_clean_header(void **state)
{
	struct worker w;

	(void)state;
	convert_slowly(&w);
	worker_disconnect(&w);
	worker_wait_code(&w, 1);
	assert_clean();
}

/* Nobody answers that the progress is left, which is not waited for as long as for a key. */
static void a_signal_leaves_a_clean_header(void **state)
{
	struct worker w;

	(void)state;
	convert_slowly(&w);
	assert_int_equal(kill(w.pid, SIGTERM), 0);
	(void)question(&w, "leave-progress");
	assert_ended(&w, "Cancelled");
	assert_clean();
}

static void nobody_but_recryptctl_is_asked_for(void **state)
{
	struct worker w;

	(void)state;
	make_volume(8, "");
	worker_start(&w, NULL);
	call_fails(&w, "InvalidArgument", "RunInForeground", "a{sv}", 1, "Verb", "s", "recover");
	call(&w, "Answer", "a{sv}ah", 1, "Number", "u", 1, 0);
	worker_quit(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_person_is_asked_until_it_is_right),
		cmocka_unit_test(who_gives_up_changes_nothing),
		cmocka_unit_test(keyslots_are_lost_only_by_agreement),
		cmocka_unit_test(a_worker_that_is_left_alone_ends),
		cmocka_unit_test(the_end_of_the_connection_leaves_a_clean_header),
		cmocka_unit_test(a_signal_leaves_a_clean_header),
		cmocka_unit_test(nobody_but_recryptctl_is_asked_for),
	};

	if (geteuid() != 0)
		return 77;
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
