/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A real worker on a real volume in an image file, told what to do as the manager tells it: jobs
 * and their ends, the record, limits, and what becomes of it all when the manager goes. Needs root,
 * as the lock directory of cryptsetup does.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "worker/test-service-support.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

#define _cleanup_message_ _cleanup_(sd_bus_message_unrefp)

static void assert_state(struct worker *w, const char *state)
{
	_cleanup_message_ sd_bus_message *m = inspect(w);

	assert_string_equal(get_text(m, "Reencryption"), state);
}

static void prepare(struct worker *w)
{
	call(w, "Prepare", "a{sv}", 0);
	sd_bus_message_unref(wait_done(w, "prepare", ""));
}

/* Slow enough that whatever a test does comes in the middle. */
static void convert_slowly(struct worker *w, uint64_t rate)
{
	_cleanup_message_ sd_bus_message *m = NULL;

	call(w, "SetLimits", "ttt", rate, UINT64_C(0), UINT64_C(0));
	call(w, "Convert", "a{sv}", 0);
	m = wait_signal(w, "Progress");
	assert_true(get_number(m, "BytesDone") > 0);
}

static void a_look_needs_no_key(void **state)
{
	struct worker w;
	_cleanup_message_ sd_bus_message *m = NULL;

	(void)state;
	make_volume(4, "--sector-size 512");
	worker_start(&w, NULL);
	m = inspect(&w);
	assert_int_equal(strlen(get_text(m, "UUID")), 36);
	assert_string_equal(get_text(m, "Device"), test_image);
	assert_string_equal(get_text(m, "HeaderDevice"), test_image);
	assert_string_equal(get_text(m, "Name"), "");
	assert_string_equal(get_text(m, "Reencryption"), "none");
	assert_string_equal(get_text(m, "Mode"), "");
	assert_string_equal(get_text(m, "OldCipher"), "aes-xts-plain64");
	assert_int_equal(get_number(m, "OldSectorSize"), 512);
	assert_int_equal(get_number(m, "BytesTotal"), 4 * MIB);
	assert_int_equal(get_number(m, "BytesDone"), 0);
	assert_int_equal(get_number(m, "Stacked"), 0);
	assert_true(has_member(m, "Supported"));
	assert_int_equal(get_number(m, "Supported"), 1);
	assert_numbers(m, "Keyslots", "0");
	assert_string_equal(get_text(m, "Record"), "");
	worker_quit(&w);
}

static void what_is_no_volume_is_an_error_of_the_call(void **state)
{
	struct worker w;

	(void)state;
	RUN("rm -f image; truncate -s 1M image");
	worker_start(&w, NULL);
	call_fails(&w, "InvalidArgument", "Inspect", "");
	RUN("rm image");
	call_fails(&w, "NotFound", "Inspect", "");
	call(&w, "Convert", "a{sv}", 0);
	sd_bus_message_unref(wait_done(&w, "convert", "NotFound"));
	worker_quit(&w);
}

static void a_volume_is_prepared_and_converted(void **state)
{
	struct worker w;
	_cleanup_message_ sd_bus_message *refused = NULL, *prepared = NULL, *converted = NULL;

	(void)state;
	make_volume(8, "");
	worker_start(&w, NULL);
	unlock(&w, "a");
	call(&w, "Prepare", "a{sv}", 1, "Cipher", "s", "aes-cbc-essiv:sha256");
	refused = wait_done(&w, "prepare", "InvalidArgument"); /* weaker, and nobody chose it */
	call(&w, "Prepare", "a{sv}", 3, "Cipher", "s", "aes-cbc-essiv:sha256", "Resilience", "s",
	     "journal", "MayWeaken", "b", 1);
	prepared = wait_done(&w, "prepare", "");
	assert_string_equal(get_text(prepared, "Reencryption"), "clean");
	assert_string_equal(get_text(prepared, "Resilience"), "journal");
	assert_string_equal(get_text(prepared, "NewCipher"), "aes-cbc-essiv:sha256");
	assert_string_equal(get_text(prepared, "Direction"), "forward");
	assert_numbers(prepared, "KeptKeyslots", "0");
	assert_numbers(prepared, "LostKeyslots", "");
	call(&w, "Convert", "a{sv}", 0);
	converted = wait_done(&w, "convert", "");
	assert_string_equal(get_text(converted, "Outcome"), "finished");
	assert_string_equal(get_text(converted, "Reencryption"), "none");
	assert_string_equal(get_text(converted, "OldCipher"), "aes-cbc-essiv:sha256");
	worker_quit(&w);
	assert_plaintext("a");
}

static void progress_goes_up_and_a_stop_leaves_a_clean_header(void **state)
{
	struct worker w;
	uint64_t last = 0;
	_cleanup_message_ sd_bus_message *stopped = NULL, *status = NULL;

	(void)state;
	make_volume(8, "");
	worker_start(&w, NULL);
	unlock(&w, "a");
	prepare(&w);
	call(&w, "SetLimits", "ttt", MIB, UINT64_C(0), UINT64_C(0));
	call(&w, "Convert", "a{sv}", 0);
	call_fails(&w, "Busy", "Convert", "a{sv}", 0);
	call_fails(&w, "Busy", "Lock", "");
	for (int i = 0; i < 3; i++) {
		_cleanup_message_ sd_bus_message *m = wait_signal(&w, "Progress");

		assert_true(get_number(m, "BytesDone") > last);
		assert_int_equal(get_number(m, "BytesTotal"), 8 * MIB);
		last = get_number(m, "BytesDone");
	}
	status = get_status(&w);
	assert_string_equal(get_text(status, "Job"), "convert");
	assert_int_equal(get_number(status, "Unlocked"), 1);
	call(&w, "Stop", "");
	stopped = wait_done(&w, "convert", "");
	assert_string_equal(get_text(stopped, "Outcome"), "stopped");
	assert_string_equal(get_text(stopped, "Reencryption"), "clean");
	assert_in_range(get_number(stopped, "BytesDone"), last, 8 * MIB - 1);
	call(&w, "SetLimits", "ttt", UINT64_C(0), UINT64_C(0), UINT64_C(0));
	do_job(&w, "Convert", "convert");
	assert_state(&w, "none");
	worker_quit(&w);
	assert_plaintext("a");
}

static void without_a_key_jobs_are_locked(void **state)
{
	struct worker w;
	_cleanup_close_ int wrong = secret_pipe("wrong");

	(void)state;
	make_volume(4, "");
	worker_start(&w, NULL);
	call(&w, "Prepare", "a{sv}", 0);
	sd_bus_message_unref(wait_done(&w, "prepare", "Locked"));
	call(&w, "Unlock", "ha{sv}", wrong, 0);
	sd_bus_message_unref(wait_done(&w, "unlock", "KeyRejected"));
	unlock(&w, "a");
	prepare(&w);
	call(&w, "Prepare", "a{sv}", 0);
	sd_bus_message_unref(wait_done(&w, "prepare", "RotationInProgress"));
	call(&w, "Lock", "");
	call(&w, "Convert", "a{sv}", 0);
	sd_bus_message_unref(wait_done(&w, "convert", "Locked"));
	assert_state(&w, "clean");
	worker_quit(&w);
}

static void a_keyslot_is_lost_only_when_that_is_said(void **state)
{
	struct worker w;
	_cleanup_message_ sd_bus_message *check = NULL, *prepared = NULL;

	(void)state;
	make_volume(4, "");
	RUN("cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "
	    "pass-a image pass-b");
	worker_start(&w, NULL);
	unlock(&w, "a");
	call(&w, "Check", "a{sv}", 0);
	check = wait_done(&w, "check", "");
	assert_string_equal(get_text(check, "ObstacleName"), "KeyslotsLost");
	assert_numbers(check, "LostKeyslots", "1");
	assert_string_equal(get_text(check, "Reencryption"), "none");
	assert_true(get_number(check, "EstimatedTime") > 0);
	call(&w, "Prepare", "a{sv}", 0);
	sd_bus_message_unref(wait_done(&w, "prepare", "KeyslotsLost"));
	assert_state(&w, "none");
	unlock(&w, "b");
	call(&w, "Prepare", "a{sv}", 0);
	prepared = wait_done(&w, "prepare", "");
	assert_numbers(prepared, "KeptKeyslots", "0,1");
	do_job(&w, "Convert", "convert");
	worker_quit(&w);
	assert_plaintext("b");
}

static void what_is_prepared_can_be_undone(void **state)
{
	struct worker w;
	_cleanup_message_ sd_bus_message *m = NULL;

	(void)state;
	make_volume(4, "");
	worker_start(&w, NULL);
	unlock(&w, "a");
	call(&w, "Undo", "a{sv}", 0);
	sd_bus_message_unref(wait_done(&w, "undo", "NoRotation"));
	prepare(&w);
	call(&w, "Undo", "a{sv}", 0);
	m = wait_done(&w, "undo", "");
	assert_string_equal(get_text(m, "Reencryption"), "none");
	assert_numbers(m, "Keyslots", "0");
	worker_quit(&w);
	assert_plaintext("a");
}

static void a_conversion_is_turned_around_in_the_middle(void **state)
{
	struct worker w;
	_cleanup_message_ sd_bus_message *stopped = NULL, *reversed = NULL, *back = NULL;

	(void)state;
	make_volume(8, "--sector-size 512");
	worker_start(&w, NULL);
	unlock(&w, "a");
	call(&w, "Prepare", "a{sv}", 2, "SectorSize", "u", 4096, "ForceOffline", "b", 1);
	sd_bus_message_unref(wait_done(&w, "prepare", ""));
	convert_slowly(&w, MIB);
	call(&w, "Reverse", "a{sv}", 0);
	call_fails(&w, "Busy", "Reverse", "a{sv}", 0);
	stopped = wait_done(&w, "convert", "");
	assert_string_equal(get_text(stopped, "Outcome"), "stopped");
	reversed = wait_done(&w, "reverse", "");
	assert_string_equal(get_text(reversed, "Direction"), "backward");
	assert_int_equal(get_number(reversed, "NewSectorSize"), 512);
	call(&w, "Undo", "a{sv}", 0);
	sd_bus_message_unref(wait_done(&w, "undo", "AlreadyReversing"));
	call(&w, "SetLimits", "ttt", UINT64_C(0), UINT64_C(0), UINT64_C(0));
	call(&w, "Convert", "a{sv}", 0);
	back = wait_done(&w, "convert", "");
	assert_string_equal(get_text(back, "Reencryption"), "none");
	assert_int_equal(get_number(back, "OldSectorSize"), 512);
	worker_quit(&w);
	assert_plaintext("a");
}

static void the_rate_counts_what_each_run_converts(void **state)
{
	const uint64_t rate = UINT64_C(16) << 10;
	struct worker w;

	(void)state;
	make_volume(8, "");
	worker_start(&w, NULL);
	unlock(&w, "a");
	prepare(&w);
	convert_slowly(&w, rate);
	call(&w, "Reverse", "a{sv}", 0);
	sd_bus_message_unref(wait_done(&w, "convert", ""));
	sd_bus_message_unref(wait_done(&w, "reverse", ""));
	/* As little as has been converted, while all of the volume takes longer than the limit. */
	do_job(&w, "Convert", "convert");
	prepare(&w);
	convert_slowly(&w, rate);
	call(&w, "SetLimits", "ttt", UINT64_C(0), UINT64_C(0), UINT64_C(0));
	sd_bus_message_unref(wait_done(&w, "convert", ""));
	worker_quit(&w);
	assert_plaintext("a");
}

static void nothing_is_turned_around_that_is_to_be_undone(void **state)
{
	struct worker w;
	_cleanup_message_ sd_bus_message *m = NULL;

	(void)state;
	make_volume(4, "");
	worker_start(&w, NULL);
	unlock(&w, "a");
	prepare(&w);
	call(&w, "Reverse", "a{sv}", 0);
	m = wait_done(&w, "reverse", "");
	assert_string_equal(get_text(m, "Reencryption"), "clean");
	assert_string_equal(get_text(m, "Direction"), "forward");
	do_job(&w, "Undo", "undo");
	worker_quit(&w);
	assert_plaintext("a");
}

/* cryptsetup's checksums have blocks of 4096 bytes, so none covers the last bytes. */
static void what_cryptsetup_began_on_an_odd_image_can_be_undone(void **state)
{
	struct worker w;

	(void)state;
	make_volume(4, "--sector-size 512");
	RUN("truncate -s -512 image && cryptsetup reencrypt -q --init-only --pbkdf pbkdf2 "
	    "--pbkdf-force-iterations 1000 --key-file pass-a image");
	worker_start(&w, NULL);
	unlock(&w, "a");
	do_job(&w, "Undo", "undo");
	assert_state(&w, "none");
	worker_quit(&w);
	assert_plaintext("a");
}

/* But for the MACs, which stand at its end. */
static void assert_record(struct worker *w, const char *record)
{
	_cleanup_message_ sd_bus_message *m = inspect(w);
	const char *text = get_text(m, "Record"), *mac = strstr(text, ",\"mac\":");

	if (!mac)
		assert_string_equal(text, record);
	else
		assert_memory_equal(text, record, (size_t)(mac - text));
}

static void assert_trust(struct worker *w, const char *trust)
{
	_cleanup_message_ sd_bus_message *m = inspect(w);

	assert_string_equal(get_text(m, "RecordTrust"), trust);
}

/* As somebody without a key can. */
static void forge_record(const char *token)
{
	RUN("t=$(cryptsetup luksDump image | sed -n 's/^ *\\([0-9]*\\): recryptd$/\\1/p') && "
	    "cryptsetup token remove --token-id $t image && "
	    "printf '%%s' '%s' | cryptsetup token import --token-id $t image",
	    token);
}

static void a_record_is_kept_in_the_header_through_everything(void **state)
{
	static const char second[] =
		"{\"generation\":1,\"later\":{\"x\":[1,2]},\"type\":\"recryptd\",\"keyslots\":[]}";
	struct worker w;

	(void)state;
	make_volume(8, "");
	worker_start(&w, NULL);
	call(&w, "SetRecord", "s", "{\"generation\":0}");
	assert_record(&w, "{\"generation\":0,\"type\":\"recryptd\",\"keyslots\":[]}");
	assert_trust(&w, "unverified");
	call_fails(&w, "InvalidArgument", "SetRecord", "s", "[1]");
	call_fails(&w, "InvalidArgument", "SetRecord", "s", "{");
	unlock(&w, "a");
	prepare(&w);
	convert_slowly(&w, MIB);
	assert_trust(&w, "untrusted"); /* written without a key */
	call(&w, "SetRecord", "s", "{\"generation\":1,\"later\":{\"x\":[1,2]}}");
	assert_record(&w, second);
	assert_trust(&w, "verified");
	call(&w, "SetLimits", "ttt", UINT64_C(0), UINT64_C(0), UINT64_C(0));
	sd_bus_message_unref(wait_done(&w, "convert", ""));
	assert_record(&w, second);
	RUN("cryptsetup luksDump image | grep -q 'recryptd'");
	RUN("cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "
	    "pass-a image pass-b");
	assert_record(&w, second);
	assert_trust(&w, "verified"); /* under the new key, which is the one that is left */
	forge_record(second);
	assert_trust(&w, "untrusted");
	call(&w, "Lock", "");
	assert_trust(&w, "unverified");
	call(&w, "SetRecord", "s", "");
	assert_record(&w, "");
	assert_trust(&w, "none");
	worker_quit(&w);
	assert_plaintext("a");
}

/* What stays when a manager dies: the control socket in its fd store, and the work. */
static void a_new_manager_finds_the_work_going_on(void **state)
{
	struct worker w;
	_cleanup_message_ sd_bus_message *status = NULL, *look = NULL;

	(void)state;
	make_volume(8, "");
	worker_start(&w, NULL);
	unlock(&w, "a");
	prepare(&w);
	convert_slowly(&w, MIB);
	worker_disconnect(&w);
	worker_connect(&w);
	status = get_status(&w);
	assert_string_equal(get_text(status, "Job"), "convert");
	look = inspect(&w);
	assert_true(get_number(look, "BytesDone") > 0);
	call(&w, "SetLimits", "ttt", UINT64_C(0), UINT64_C(0), UINT64_C(0));
	sd_bus_message_unref(wait_done(&w, "convert", ""));
	worker_quit(&w);
	assert_plaintext("a");
}

static void stopped_in_the_middle(void (*end)(struct worker *w))
{
	struct worker w;

	make_volume(8, "");
	worker_start(&w, NULL);
	unlock(&w, "a");
	prepare(&w);
	convert_slowly(&w, MIB);
	end(&w);
	worker_wait(&w);
	worker_start(&w, NULL);
	assert_state(&w, "clean");
	unlock(&w, "a");
	do_job(&w, "Convert", "convert");
	worker_quit(&w);
	assert_plaintext("a");
}

static void hang_up(struct worker *w)
{
	worker_disconnect(w);
	cleanup_close(&w->control_fd);
	w->control_fd = -1;
}

static void terminate(struct worker *w)
{
	assert_int_equal(kill(w->pid, SIGTERM), 0);
}

static void quit(struct worker *w)
{
	call(w, "Quit", "");
}

static void a_manager_that_is_gone_for_good_ends_the_worker(void **state)
{
	(void)state;
	stopped_in_the_middle(hang_up);
}

static void a_signal_or_quit_ends_the_worker_with_a_clean_header(void **state)
{
	(void)state;
	stopped_in_the_middle(terminate);
	stopped_in_the_middle(quit);
}

static char first_of_command_line(const struct worker *w)
{
	_cleanup_close_ int fd = -1;
	char path[64], c = '\0';

	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)w->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(read(fd, &c, 1) >= 0);
	return c;
}

/* The worker cannot end, since it waits for the metadata lock that the test has. */
static void from_sigterm_on_the_final_kill_passes_the_worker_over(void **state)
{
	const uint64_t deadline = now_usec() + LIMIT;
	_cleanup_close_ int lock = -1;
	struct worker w;
	char waits[80];

	(void)state;
	make_volume(8, "");
	worker_start(&w, NULL);
	unlock(&w, "a");
	prepare(&w);
	convert_slowly(&w, 64 * KIB);
	lock = open(test_image, O_RDWR | O_CLOEXEC);
	assert_true(lock >= 0);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	(void)snprintf(waits, sizeof(waits), "grep -q -e '-> FLOCK .* %d ' /proc/locks",
		       (int)w.pid);
	while (system(waits) != 0)
		assert_true(now_usec() < deadline);
	assert_int_not_equal(first_of_command_line(&w), '@');
	assert_int_equal(kill(w.pid, SIGTERM), 0);
	while (first_of_command_line(&w) != '@') {
		assert_true(now_usec() < deadline);
		(void)usleep(2000);
	}
	assert_int_equal(flock(lock, LOCK_UN), 0);
	worker_wait(&w);
}

static void unknown_options_and_garbage_are_refused(void **state)
{
	struct worker w;

	(void)state;
	make_volume(4, "");
	worker_start(&w, NULL);
	call_fails(&w, "InvalidArgument", "Prepare", "a{sv}", 1, "NoSuchOption", "s", "x");
	call_fails(&w, "InvalidArgument", "Prepare", "a{sv}", 1, "Cipher", "u", 1);
	call_fails(&w, "InvalidArgument", "Prepare", "a{sv}", 1, "Keyslot", "i", 32);
	unlock(&w, "a");
	call(&w, "Prepare", "a{sv}", 1, "Resilience", "s", "none");
	sd_bus_message_unref(wait_done(&w, "prepare", "NotSupported"));
	call(&w, "Prepare", "a{sv}", 1, "Resilience", "s", "checksums");
	sd_bus_message_unref(wait_done(&w, "prepare", "InvalidArgument"));
	call(&w, "Prepare", "a{sv}", 1, "SectorSize", "u", 8192);
	sd_bus_message_unref(wait_done(&w, "prepare", "InvalidArgument"));
	call(&w, "Prepare", "a{sv}", 1, "Pbkdf", "s", "md5");
	sd_bus_message_unref(wait_done(&w, "prepare", "InvalidArgument"));
	call(&w, "Prepare", "a{sv}", 1, "Cipher", "s", "\"}rot13-");
	sd_bus_message_unref(wait_done(&w, "prepare", "InvalidArgument"));
	assert_int_equal(send(w.control_fd, "x", 1, 0), 1);
	assert_state(&w, "none");
	worker_quit(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_look_needs_no_key),
		cmocka_unit_test(what_is_no_volume_is_an_error_of_the_call),
		cmocka_unit_test(a_volume_is_prepared_and_converted),
		cmocka_unit_test(progress_goes_up_and_a_stop_leaves_a_clean_header),
		cmocka_unit_test(without_a_key_jobs_are_locked),
		cmocka_unit_test(a_keyslot_is_lost_only_when_that_is_said),
		cmocka_unit_test(what_is_prepared_can_be_undone),
		cmocka_unit_test(nothing_is_turned_around_that_is_to_be_undone),
		cmocka_unit_test(what_cryptsetup_began_on_an_odd_image_can_be_undone),
		cmocka_unit_test(the_rate_counts_what_each_run_converts),
		cmocka_unit_test(a_conversion_is_turned_around_in_the_middle),
		cmocka_unit_test(a_record_is_kept_in_the_header_through_everything),
		cmocka_unit_test(a_new_manager_finds_the_work_going_on),
		cmocka_unit_test(a_manager_that_is_gone_for_good_ends_the_worker),
		cmocka_unit_test(a_signal_or_quit_ends_the_worker_with_a_clean_header),
		cmocka_unit_test(from_sigterm_on_the_final_kill_passes_the_worker_over),
		cmocka_unit_test(unknown_options_and_garbage_are_refused),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
