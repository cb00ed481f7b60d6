/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How a service comes by keys: from the worker before it, and from providers that need no person,
 * with their time limits. The token plugin is test-token-plugin.c. Needs root.
 */
#include <fcntl.h>
#include <libcryptsetup.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "worker/test-service-support.h"

#define _cleanup_message_ _cleanup_(sd_bus_message_unrefp)

static void prepare(struct worker *w)
{
	call(w, "Prepare", "a{sv}", 0);
	sd_bus_message_unref(wait_done(w, "prepare", ""));
}

/* The two descriptors of KeysAvailable, as the fd store would keep them. */
static void take_keys(struct worker *w, int fd[2])
{
	_cleanup_message_ sd_bus_message *m = wait_signal(w, "KeysAvailable");
	int in_message[2];

	assert_true(sd_bus_message_read(m, "hh", &in_message[0], &in_message[1]) > 0);
	for (int i = 0; i < 2; i++) {
		fd[i] = fcntl(in_message[i], F_DUPFD_CLOEXEC, 3);
		assert_true(fd[i] >= 0);
	}
}

static void prepare_for_keys(struct worker *w, int fd[2])
{
	call(w, "Prepare", "a{sv}", 0);
	take_keys(w, fd);
	sd_bus_message_unref(wait_done(w, "prepare", ""));
}

static void close_keys(const int fd[2])
{
	(void)close(fd[0]);
	(void)close(fd[1]);
}

static void convert_and_quit(struct worker *w)
{
	do_job(w, "Convert", "convert");
	worker_quit(w);
	assert_plaintext("a");
}

/* Memory that is never swapped, of a fixed size; or where the kernel has none, what is sealed. */
static void assert_key_memory(int fd)
{
	const int wanted = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	const int probe = (int)syscall(SYS_memfd_secret, 0U);
	char byte;

	if (probe < 0) {
		print_message("this kernel has no memfd_secret\n");
		assert_int_equal(fcntl(fd, F_GET_SEALS) & wanted, wanted);
		return;
	}
	(void)close(probe);
	assert_int_equal(read(fd, &byte, 1), -1);
	assert_int_equal(ftruncate(fd, 4096), -1);
}

static void the_next_worker_adopts_the_keys(void **state)
{
	struct worker w;
	int fd[2];

	(void)state;
	make_volume(4, "");
	worker_start(&w, NULL);
	unlock(&w, "a");
	prepare_for_keys(&w, fd);
	worker_quit(&w);

	for (int i = 0; i < 2; i++)
		assert_key_memory(fd[i]);
	worker_start(&w, NULL);
	call(&w, "Adopt", "hh", fd[0], fd[1]);
	sd_bus_message_unref(wait_done(&w, "adopt", ""));
	convert_and_quit(&w);

	/* Of another volume. */
	make_volume(4, "");
	worker_start(&w, NULL);
	call(&w, "Adopt", "hh", fd[0], fd[1]);
	sd_bus_message_unref(wait_done(&w, "adopt", "HeaderConflict"));
	worker_quit(&w);
	close_keys(fd);
}

/* Killed anywhere, perhaps with a hot header: its heir needs nobody to go on. */
static void the_heir_of_a_killed_worker_goes_on(void **state)
{
	struct worker w;
	int fd[2];

	(void)state;
	make_volume(32, "");
	worker_start(&w, NULL);
	unlock(&w, "a");
	prepare_for_keys(&w, fd);
	for (int i = 0; i < 4; i++) {
		_cleanup_message_ sd_bus_message *m = NULL;

		call(&w, "SetLimits", "ttt", UINT64_C(4) << 20, UINT64_C(0), UINT64_C(0));
		call(&w, "Convert", "a{sv}", 0);
		m = wait_signal(&w, "Progress");
		assert_true(get_number(m, "BytesDone") > 0);
		worker_kill(&w);
		worker_start(&w, NULL);
		call(&w, "Adopt", "hh", fd[0], fd[1]);
		sd_bus_message_unref(wait_done(&w, "adopt", ""));
		if (i < 3)
			do_job(&w, "Recover", "recover");
	}
	convert_and_quit(&w);
	close_keys(fd);
}

/* The manager that died before it had them would have to ask a person, after the next crash. */
static void keys_wait_for_the_next_manager(void **state)
{
	struct worker w;
	int fd[2];

	(void)state;
	make_volume(4, "");
	worker_start(&w, NULL);
	unlock(&w, "a");
	/* About a second of work: the connection is gone long before it is done. */
	call(&w, "Prepare", "a{sv}", 2, "Pbkdf", "s", "pbkdf2", "PbkdfIterations", "u", 3000000);
	worker_disconnect(&w);
	worker_connect(&w);
	sd_bus_message_unref(get_status(&w)); /* before a call nothing is sent */
	take_keys(&w, fd);
	close_keys(fd);
	worker_quit(&w);
}

static void a_volume_key_opens_as_well_as_a_passphrase(void **state)
{
	struct worker w;
	char path[128];
	_cleanup_close_ int fd = -1, wrong = secret_memfd("0123456789", 10);

	(void)state;
	make_volume(4, "");
	RUN("rm -f key && cryptsetup luksDump -q --dump-volume-key --volume-key-file key "
	    "--key-file pass-a image && cryptsetup reencrypt -q --init-only --pbkdf pbkdf2 "
	    "--pbkdf-force-iterations 1000 --key-file pass-a image");
	(void)snprintf(path, sizeof(path), "%s/key", test_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	worker_start(&w, NULL);
	call(&w, "Unlock", "ha{sv}", wrong, 1, "Type", "s", "volume-key");
	sd_bus_message_unref(wait_done(&w, "unlock", "KeyRejected"));
	call(&w, "Unlock", "ha{sv}", fd, 1, "Type", "s", "volume-key");
	sd_bus_message_unref(wait_done(&w, "unlock", ""));
	/* The new key is still in its keyslot only. */
	call(&w, "Convert", "a{sv}", 0);
	sd_bus_message_unref(wait_done(&w, "convert", "KeyRejected"));
	unlock(&w, "a");
	convert_and_quit(&w);
}

/* There would be no keyslot to open the volume with. */
static void a_volume_key_alone_begins_nothing_but_with_the_key_kept(void **state)
{
	struct worker w;
	char path[128];
	_cleanup_close_ int fd = -1;

	(void)state;
	make_volume(4, "--sector-size 512");
	RUN("rm -f key && cryptsetup luksDump -q --dump-volume-key --volume-key-file key "
	    "--key-file pass-a image");
	(void)snprintf(path, sizeof(path), "%s/key", test_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	worker_start(&w, NULL);
	call(&w, "Unlock", "ha{sv}", fd, 1, "Type", "s", "volume-key");
	sd_bus_message_unref(wait_done(&w, "unlock", ""));
	call(&w, "Prepare", "a{sv}", 0);
	sd_bus_message_unref(wait_done(&w, "prepare", "Locked"));
	call(&w, "Prepare", "a{sv}", 3, "KeepKey", "b", 1, "SectorSize", "u", 4096, "ForceOffline",
	     "b", 1);
	sd_bus_message_unref(wait_done(&w, "prepare", ""));
	convert_and_quit(&w);
}

/* From beginning to end without a person. */
static void rotate_unattended(struct worker *w)
{
	sd_bus_message_unref(wait_done(w, "use-provider", ""));
	prepare(w);
	convert_and_quit(w);
}

static void a_key_file_provides(void **state)
{
	struct worker w;
	char path[128];

	(void)state;
	make_volume(4, "");
	RUN("printf xxa >key-file");
	(void)snprintf(path, sizeof(path), "%s/key-file", test_dir);
	worker_start(&w, NULL);
	call(&w, "UseProvider", "a{sv}", 2, "Provider", "s", "key-file", "Path", "s", path);
	sd_bus_message_unref(wait_done(&w, "use-provider", "KeyRejected"));
	call(&w, "UseProvider", "a{sv}", 2, "Provider", "s", "key-file", "Path", "s", "/nowhere");
	sd_bus_message_unref(wait_done(&w, "use-provider", "Locked"));
	call(&w, "UseProvider", "a{sv}", 1, "Provider", "s", "key-file");
	sd_bus_message_unref(wait_done(&w, "use-provider", "InvalidArgument"));
	call(&w, "UseProvider", "a{sv}", 3, "Provider", "s", "key-file", "Path", "s", path,
	     "Offset", "t", UINT64_C(2));
	rotate_unattended(&w);
}

static void an_empty_key_file_is_the_empty_passphrase(void **state)
{
	struct worker w;
	char path[128];

	(void)state;
	make_volume(4, "");
	RUN(": >empty && cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "
	    "--key-file pass-a image empty");
	(void)snprintf(path, sizeof(path), "%s/empty", test_dir);
	worker_start(&w, NULL);
	call(&w, "UseProvider", "a{sv}", 2, "Provider", "s", "key-file", "Path", "s", path);
	sd_bus_message_unref(wait_done(&w, "use-provider", ""));
	worker_quit(&w);
}

static void a_provider_that_hangs_is_given_up(void **state)
{
	struct worker w;
	char path[128];
	uint64_t begin;

	(void)state;
	make_volume(4, "");
	RUN("rm -f fifo && mkfifo fifo");
	(void)snprintf(path, sizeof(path), "%s/fifo", test_dir);
	worker_start(&w, NULL);
	begin = now_usec();
	call(&w, "UseProvider", "a{sv}", 3, "Provider", "s", "key-file", "Path", "s", path,
	     "Timeout", "t", SECONDS / 2);
	sd_bus_message_unref(wait_done(&w, "use-provider", "TimedOut"));
	assert_in_range(now_usec() - begin, SECONDS / 2, LIMIT);
	unlock(&w, "a");
	worker_quit(&w);
}

static void a_provider_that_hangs_is_not_waited_for_after_a_stop(void **state)
{
	struct worker w;
	char path[128];

	(void)state;
	make_volume(4, "");
	RUN("rm -f fifo && mkfifo fifo");
	(void)snprintf(path, sizeof(path), "%s/fifo", test_dir);
	worker_start(&w, NULL);
	call(&w, "UseProvider", "a{sv}", 3, "Provider", "s", "key-file", "Path", "s", path,
	     "Timeout", "t", 3600 * SECONDS);
	call(&w, "Stop", "");
	sd_bus_message_unref(wait_done(&w, "use-provider", "Cancelled"));
	unlock(&w, "a");
	worker_quit(&w);
}

/* The first number in a file of /proc behind @key; -1: none. */
static long number_of_proc(pid_t pid, const char *file, const char *key)
{
	char path[64], line[256];
	long number = -1;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (number < 0 && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			number = strtol(line + strlen(key), NULL, 10);
	(void)fclose(f);
	return number;
}

static void what_asks_a_provider_keeps_its_memory(void **state)
{
	const uint64_t end = now_usec() + LIMIT;
	struct worker w;
	char path[128], children[64];
	long pid;

	(void)state;
	make_volume(4, "");
	RUN("rm -f fifo && mkfifo fifo");
	(void)snprintf(path, sizeof(path), "%s/fifo", test_dir);
	worker_start(&w, NULL);
	call(&w, "UseProvider", "a{sv}", 3, "Provider", "s", "key-file", "Path", "s", path,
	     "Timeout", "t", 3600 * SECONDS);
	(void)snprintf(children, sizeof(children), "task/%d/children", (int)w.pid);
	do
		pid = number_of_proc(w.pid, children, "");
	while (pid <= 0 && now_usec() < end);
	assert_true(pid > 0);
#ifndef __SANITIZE_ADDRESS__                                           /* it locks nothing */
	while (number_of_proc((pid_t)pid, "status", "VmLck:") <= 1024) /* KiB */
		assert_true(now_usec() < end);
#endif
	while (number_of_proc((pid_t)pid, "oom_score_adj", "") <= 0)
		assert_true(now_usec() < end);
	worker_kill(&w);
	while (kill((pid_t)pid, 0) == 0 && number_of_proc((pid_t)pid, "status", "VmSize:") > 0)
		assert_true(now_usec() < end);
}

static void pass_credentials(void)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/credentials", test_dir);
	if (setenv("CREDENTIALS_DIRECTORY", path, 1) < 0)
		_exit(126);
}

static void a_credential_provides(void **state)
{
	struct worker w;

	(void)state;
	make_volume(4, "");
	RUN("mkdir -p credentials && printf a >credentials/data");
	worker_start(&w, pass_credentials);
	call(&w, "UseProvider", "a{sv}", 2, "Provider", "s", "credential", "Name", "s",
	     "../pass-a");
	sd_bus_message_unref(wait_done(&w, "use-provider", "InvalidArgument"));
	call(&w, "UseProvider", "a{sv}", 2, "Provider", "s", "credential", "Name", "s", "data");
	rotate_unattended(&w);
}

static void the_keyring_provides(void **state)
{
	struct worker w;
	char description[64];
	long key;

	(void)state;
	make_volume(4, "");
	(void)snprintf(description, sizeof(description), "test-service:%d", (int)getpid());
	worker_start(&w, NULL);
	call(&w, "UseProvider", "a{sv}", 2, "Provider", "s", "keyring", "Description", "s",
	     description);
	sd_bus_message_unref(wait_done(&w, "use-provider", "Locked"));
	key = syscall(SYS_add_key, "user", description, "a", 1UL, KEY_SPEC_USER_KEYRING);
	assert_true(key > 0);
	call(&w, "UseProvider", "a{sv}", 2, "Provider", "s", "keyring", "Description", "s",
	     description);
	rotate_unattended(&w);
	(void)syscall(SYS_keyctl, (unsigned long)KEYCTL_UNLINK, key, KEY_SPEC_USER_KEYRING);
}

/* libcryptsetup knows one directory of plugins: a worker in a mount namespace sees ours there. */
static void mount_plugins(void)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/plugins", test_dir);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(path, crypt_token_external_path(), NULL, MS_BIND, NULL) < 0)
		_exit(126);
}

static bool can_mount_plugins(void)
{
	int status;
	const pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		mount_plugins();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The plugin is built beside this program. */
static void install_plugin(void)
{
	char self[3072];
	const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	RUN("mkdir -p plugins && cp %.500s/libcryptsetup-token-recryptd-test.so plugins", self);
}

static void add_token(int number, int keyslot, char passphrase)
{
	RUN("printf '{\"type\":\"recryptd-test\",\"keyslots\":[\"%d\"],\"passphrase\":\"%c\"}' "
	    "| cryptsetup token import --token-id %d image",
	    keyslot, passphrase, number);
}

static void a_token_plugin_provides(void **state)
{
	struct worker w;
	_cleanup_message_ sd_bus_message *m = NULL;

	(void)state;
	install_plugin();
	if (!can_mount_plugins()) {
		print_message("the directory of plugins cannot be covered here\n");
		skip();
	}
	make_volume(4, "");
	worker_start(&w, mount_plugins);
	call(&w, "UseProvider", "a{sv}", 1, "Provider", "s", "token");
	sd_bus_message_unref(wait_done(&w, "use-provider", "Locked"));
	add_token(3, 0, 'x');
	call(&w, "UseProvider", "a{sv}", 1, "Provider", "s", "token");
	sd_bus_message_unref(wait_done(&w, "use-provider", "Locked"));
	add_token(5, 0, 'a');
	call(&w, "UseProvider", "a{sv}", 2, "Provider", "s", "token", "Token", "i", 3);
	sd_bus_message_unref(wait_done(&w, "use-provider", "Locked"));
	call(&w, "UseProvider", "a{sv}", 1, "Provider", "s", "token");
	m = wait_done(&w, "use-provider", "");
	assert_numbers(m, "OpenedKeyslots", "0");
	/* From now on the plugin would not answer: it is not asked again. */
	RUN("cryptsetup token remove --token-id 5 image");
	add_token(5, 0, '?');
	call(&w, "Check", "a{sv}", 0);
	sd_bus_message_unref(wait_done(&w, "check", ""));
	prepare(&w);
	convert_and_quit(&w);
	RUN("cryptsetup luksDump image | grep -A1 'recryptd-test' | grep -q 'Keyslot: *0'");
}

/* One that never answers holds up neither the service nor another token. */
static void a_token_plugin_that_hangs_is_given_up(void **state)
{
	struct worker w;
	_cleanup_message_ sd_bus_message *status = NULL;

	(void)state;
	if (!can_mount_plugins()) {
		print_message("the directory of plugins cannot be covered here\n");
		skip();
	}
	make_volume(4, "");
	add_token(1, 0, '?');
	worker_start(&w, mount_plugins);
	call(&w, "UseProvider", "a{sv}", 2, "Provider", "s", "token", "Timeout", "t", SECONDS / 2);
	status = get_status(&w);
	assert_string_equal(get_text(status, "Job"), "use-provider");
	sd_bus_message_unref(wait_done(&w, "use-provider", "TimedOut"));
	/* Nor is it asked when keyslots are opened by passphrases. */
	unlock(&w, "a");
	prepare(&w);
	convert_and_quit(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_worker_adopts_the_keys),
		cmocka_unit_test(the_heir_of_a_killed_worker_goes_on),
		cmocka_unit_test(keys_wait_for_the_next_manager),
		cmocka_unit_test(a_volume_key_opens_as_well_as_a_passphrase),
		cmocka_unit_test(a_volume_key_alone_begins_nothing_but_with_the_key_kept),
		cmocka_unit_test(a_key_file_provides),
		cmocka_unit_test(an_empty_key_file_is_the_empty_passphrase),
		cmocka_unit_test(a_provider_that_hangs_is_given_up),
		cmocka_unit_test(a_provider_that_hangs_is_not_waited_for_after_a_stop),
		cmocka_unit_test(what_asks_a_provider_keeps_its_memory),
		cmocka_unit_test(a_credential_provides),
		cmocka_unit_test(the_keyring_provides),
		cmocka_unit_test(a_token_plugin_provides),
		cmocka_unit_test(a_token_plugin_that_hangs_is_given_up),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
