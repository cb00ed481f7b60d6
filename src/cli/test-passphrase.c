/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Passphrases from files, pipes and a terminal of our own making. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/exit-code.h"
#include "util/log.h"
#include "cli/passphrase.h"
#include "cli/terminal.h"
#include "cli/program.h"

static char path[] = "/tmp/test-passphrase-XXXXXX";

static void write_file(const char *data, size_t size)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static void assert_secret(const struct secret *s, const char *expected)
{
	assert_non_null(s);
	assert_int_equal(s->size, strlen(expected));
	assert_memory_equal(s->data, expected, s->size);
}

static void a_key_file_is_taken_whole_or_in_part(void **state)
{
	_cleanup_(secret_freep) struct secret *a = NULL, *b = NULL, *c = NULL, *d = NULL;

	(void)state;
	write_file("one\ntwo\n", 8);
	assert_int_equal(key_file_read(path, 0, 0, &a), 0);
	assert_secret(a, "one\ntwo\n");
	assert_int_equal(key_file_read(path, 4, 3, &b), 0);
	assert_secret(b, "two");
	assert_int_equal(key_file_read(path, 4, 0, &c), 0);
	assert_secret(c, "two\n");

	assert_int_equal(key_file_read(path, 0, 9, &d), -EINVAL);
	assert_true(key_file_read("/nonexistent/key", 0, 0, &d) < 0);
	write_file("", 0);
	assert_int_equal(volume_key_read(path, 0, NULL, &d), -EINVAL);
	assert_null(d);
	assert_int_equal(key_file_read("/dev/null", 0, 0, &d), -ENODATA);
	assert_null(d);
	assert_int_equal(key_file_read(path, 0, 0, &d), 0);
	assert_secret(d, "");
}

static void a_key_file_beyond_the_limit_is_refused(void **state)
{
	_cleanup_(secret_freep) struct secret *s = NULL;

	(void)state;
	write_file("", 0);
	assert_int_equal(truncate(path, (8 << 20) + 1), 0);
	assert_int_equal(key_file_read(path, 0, 0, &s), -EINVAL);
	assert_null(s);
}

static void a_key_file_is_one_passphrase(void **state)
{
	_cleanup_(secret_freep) struct secret *a = NULL, *b = NULL;
	struct passphrase_source source = {.key_file = path};

	(void)state;
	write_file("key\n", 4);
	assert_int_equal(passphrase_ask(&source, 0, false, &a), 0);
	assert_secret(a, "key\n");
	assert_int_equal(passphrase_ask(&source, 1, false, &b), -ENODATA);
}

/* Standard input is a pipe with @data while the test runs; returns the old one. */
static int feed(const char *data)
{
	int fds[2], saved = dup(STDIN_FILENO);

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], data, strlen(data)), strlen(data));
	close(fds[1]);
	assert_true(dup2(fds[0], STDIN_FILENO) >= 0);
	close(fds[0]);
	return saved;
}

static void unfeed(int saved)
{
	if (saved >= 0) {
		assert_true(dup2(saved, STDIN_FILENO) >= 0);
		close(saved);
	}
}

static void piped_passphrases_are_lines(void **state)
{
	_cleanup_(secret_freep) struct secret *a = NULL, *b = NULL, *c = NULL, *d = NULL;
	struct passphrase_source source = {.device = "d"};
	int saved = feed("first\n\nlast");

	(void)state;
	assert_int_equal(passphrase_ask(&source, 0, false, &a), 0);
	assert_secret(a, "first");
	assert_int_equal(passphrase_ask(&source, 1, false, &b), 0);
	assert_secret(b, "");
	assert_int_equal(passphrase_ask(&source, 2, false, &c), 0);
	assert_secret(c, "last");
	assert_int_equal(passphrase_ask(&source, 3, false, &d), -ENODATA);
	assert_false(passphrase_is_typed(&source));
	unfeed(saved);
}

static void standard_input_as_key_file_keeps_its_newlines(void **state)
{
	_cleanup_(secret_freep) struct secret *a = NULL;
	struct passphrase_source source = {.key_file = "-"};
	int saved = feed("first\nlast\n");

	(void)state;
	assert_int_equal(passphrase_ask(&source, 0, false, &a), 0);
	assert_secret(a, "first\nlast\n");
	unfeed(saved);
}

#define EMPTY_TYPED 3

/* What a child at a terminal does; its result is its exit code. */
static int child_reads(void)
{
	_cleanup_(secret_freep) struct secret *s = NULL;
	struct passphrase_source source = {.device = "/dev/x"};
	int r = passphrase_ask(&source, 3, false, &s);

	if (r < 0)
		return -r;
	if (s->size == 0 && passphrase_is_typed(&source))
		return EMPTY_TYPED;
	return s->size == 6 && memcmp(s->data, "secret", 6) == 0 ? 0 : 1;
}

static int child_times_out(void)
{
	_cleanup_(secret_freep) struct secret *s = NULL;

	return terminal_read("? ", 1, &s) == -ETIME ? 0 : 1;
}

static int child_asks_for_a_new_one(void)
{
	_cleanup_(secret_freep) struct secret *s = NULL;
	struct passphrase_source source = {.device = "/dev/x"};
	int r = passphrase_ask(&source, LUKS_NEW_PASSPHRASE, false, &s);

	return exit_code(r);
}

static int child_confirms(void)
{
	bool yes = false;
	int r = terminal_confirm("Keyslot 1 will be lost.", &yes);

	return r < 0 ? -r : !yes;
}

static pid_t start_child(int (*run)(void), int *ret_terminal)
{
	pid_t pid = forkpty(ret_terminal, NULL, NULL, NULL);

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run());
	return pid;
}

/* Reads from the child's terminal until @text has come; all that came is in @seen. */
static void expect(int terminal, const char *text, char *seen, size_t size)
{
	size_t n = strlen(seen);

	while (!strstr(seen, text)) {
		struct pollfd p = {.fd = terminal, .events = POLLIN};
		ssize_t got;

		if (poll(&p, 1, 10000) != 1)
			fail_msg("\"%s\" did not come, only \"%s\"", text, seen);
		got = read(terminal, seen + n, size - n - 1);
		if (got <= 0)
			fail_msg("\"%s\" did not come, only \"%s\"", text, seen);
		n += (size_t)got;
		seen[n] = '\0';
	}
}

static bool echoes(int terminal)
{
	struct termios t;

	assert_int_equal(tcgetattr(terminal, &t), 0);
	return t.c_lflag & ECHO;
}

static void type(int terminal, const char *text)
{
	assert_int_equal(write(terminal, text, strlen(text)), strlen(text));
}

static int wait_child(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void a_typed_passphrase_is_not_shown(void **state)
{
	char seen[512] = "";
	int terminal, status;
	pid_t pid = start_child(child_reads, &terminal);

	(void)state;
	expect(terminal, "Enter passphrase for keyslot 3: ", seen, sizeof(seen));
	assert_false(echoes(terminal));
	type(terminal, "secret\n");
	expect(terminal, "\n", seen, sizeof(seen));
	status = wait_child(pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_null(strstr(seen, "secret"));
	assert_true(echoes(terminal));
	close(terminal);
}

static void nothing_typed_is_the_empty_passphrase(void **state)
{
	char seen[512] = "";
	int terminal;
	pid_t pid = start_child(child_reads, &terminal);

	(void)state;
	expect(terminal, "keyslot 3: ", seen, sizeof(seen));
	type(terminal, "\n");
	assert_int_equal(WEXITSTATUS(wait_child(pid)), EMPTY_TYPED);
	close(terminal);
}

static void an_interrupt_ends_the_process_with_the_echo_back(void **state)
{
	char seen[512] = "";
	int terminal, status;
	pid_t pid = start_child(child_reads, &terminal);

	(void)state;
	expect(terminal, "keyslot 3: ", seen, sizeof(seen));
	type(terminal, "\003"); /* Ctrl-C */
	status = wait_child(pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGINT);
	assert_true(echoes(terminal));
	close(terminal);
}

static void waiting_ends_after_the_timeout(void **state)
{
	int terminal;
	pid_t pid = start_child(child_times_out, &terminal);

	(void)state;
	assert_int_equal(wait_child(pid), 0);
	assert_true(echoes(terminal));
	close(terminal);
}

static void a_new_passphrase_is_asked_for_twice(void **state)
{
	static const struct {
		const char *second;
		int exit;
	} cases[] = {{"new\n", 0}, {"nwe\n", 2}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char seen[512] = "";
		int terminal;
		pid_t pid = start_child(child_asks_for_a_new_one, &terminal);

		expect(terminal, "Enter new passphrase: ", seen, sizeof(seen));
		type(terminal, "new\n");
		expect(terminal, "Verify passphrase: ", seen, sizeof(seen));
		type(terminal, cases[i].second);
		assert_int_equal(WEXITSTATUS(wait_child(pid)), cases[i].exit);
		close(terminal);
	}
}

static void only_yes_in_capital_letters_is_yes(void **state)
{
	static const struct {
		const char *typed;
		int exit;
	} cases[] = {{"YES\n", 0}, {"yes\n", 1}, {"\n", 1}, {"YESS\n", 1}};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		char seen[512] = "";
		int terminal;
		pid_t pid = start_child(child_confirms, &terminal);

		expect(terminal, "capital letters): ", seen, sizeof(seen));
		type(terminal, cases[i].typed);
		assert_int_equal(WEXITSTATUS(wait_child(pid)), cases[i].exit);
		close(terminal);
	}
}

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_file_is_taken_whole_or_in_part),
		cmocka_unit_test(a_key_file_beyond_the_limit_is_refused),
		cmocka_unit_test(a_key_file_is_one_passphrase),
		cmocka_unit_test(piped_passphrases_are_lines),
		cmocka_unit_test(standard_input_as_key_file_keeps_its_newlines),
		cmocka_unit_test(a_typed_passphrase_is_not_shown),
		cmocka_unit_test(nothing_typed_is_the_empty_passphrase),
		cmocka_unit_test(an_interrupt_ends_the_process_with_the_echo_back),
		cmocka_unit_test(waiting_ends_after_the_timeout),
		cmocka_unit_test(a_new_passphrase_is_asked_for_twice),
		cmocka_unit_test(only_yes_in_capital_letters_is_yes),
	};

	log_init("test-passphrase", LOG_NOTICE);
	return cmocka_run_group_tests(tests, make_file, remove_file);
}
