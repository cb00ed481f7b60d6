/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How a service comes by keys: from the worker before it, and from providers that need no person,
 * with their time limits. The token plugin is test-token-plugin.c. Needs root.
 */
#include <fcntl.h>
#include <linux/keyctl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
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

static void the_next_worker_adopts_the_keys(void **state)
{
	struct worker w;
	int fd[2];

	(void)state;
	make_volume(4, "");
	worker_start(&w, NULL);
	unlock(&w, "a");
	call(&w, "Prepare", "a{sv}", 0);
	take_keys(&w, fd);
	sd_bus_message_unref(wait_done(&w, "prepare", ""));
	worker_quit(&w);

	for (int i = 0; i < 2; i++) {
		const int wanted = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

		assert_int_equal(fcntl(fd[i], F_GET_SEALS) & wanted, wanted);
	}
	worker_start(&w, NULL);
	call(&w, "Adopt", "hh", fd[0], fd[1]);
	sd_bus_message_unref(wait_done(&w, "adopt", ""));
	do_job(&w, "Convert", "convert");
	worker_quit(&w);
	assert_plaintext("a");

	/* Of another volume. */
	make_volume(4, "");
	worker_start(&w, NULL);
	call(&w, "Adopt", "hh", fd[0], fd[1]);
	sd_bus_message_unref(wait_done(&w, "adopt", "HeaderConflict"));
	worker_quit(&w);
	(void)close(fd[0]);
	(void)close(fd[1]);
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
	call(&w, "Convert", "");
	sd_bus_message_unref(wait_done(&w, "convert", "KeyRejected"));
	unlock(&w, "a");
	do_job(&w, "Convert", "convert");
	worker_quit(&w);
	assert_plaintext("a");
}

/* From beginning to end without a person. */
static void rotate_unattended(struct worker *w)
{
	sd_bus_message_unref(wait_done(w, "use-provider", ""));
	prepare(w);
	do_job(w, "Convert", "convert");
	worker_quit(w);
	assert_plaintext("a");
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
	assert_in_range(now_usec() - begin, SECONDS / 2, 10 * SECONDS);
	unlock(&w, "a");
	worker_quit(&w);
}

static void a_credential_provides(void **state)
{
	struct worker w;
	char environment[128];

	(void)state;
	make_volume(4, "");
	RUN("mkdir -p credentials && printf a >credentials/data");
	(void)snprintf(environment, sizeof(environment), "CREDENTIALS_DIRECTORY=%s/credentials",
		       test_dir);
	worker_start(&w, environment);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_worker_adopts_the_keys),
		cmocka_unit_test(a_volume_key_opens_as_well_as_a_passphrase),
		cmocka_unit_test(a_key_file_provides),
		cmocka_unit_test(a_provider_that_hangs_is_given_up),
		cmocka_unit_test(a_credential_provides),
		cmocka_unit_test(the_keyring_provides),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
