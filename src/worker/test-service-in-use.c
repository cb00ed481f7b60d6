/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The service does not take an open volume for a closed one either. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/cleanup.h"
#include "worker/test-service-support.h"

/* A loop device over the image that somebody uses, as a mount or a mapping does. */
static int use_by_loop_device(char path[32])
{
	char command[128];
	FILE *f;
	int fd;

	(void)snprintf(command, sizeof(command), "losetup --find --show %s", test_image);
	f = popen(command, "re");
	assert_non_null(f);
	if (!fgets(path, 32, f)) {
		(void)pclose(f);
		print_message("no loop devices here\n");
		skip();
	}
	(void)pclose(f);
	path[strcspn(path, "\n")] = '\0';
	fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void an_image_in_use_through_a_loop_device_is_refused(void **state)
{
	sd_bus_message *done;
	struct worker w;
	char loop[32];
	int user;

	(void)state;
	make_volume(1, "");
	RUN("cp image before");
	user = use_by_loop_device(loop);
	worker_start(&w, NULL);
	unlock(&w, "a");
	call(&w, "Check", "a{sv}", 0);
	done = wait_done(&w, "check", "");
	assert_non_null(strstr(get_text(done, "Obstacle"), loop));
	sd_bus_message_unref(done);
	call(&w, "Prepare", "a{sv}", 0);
	sd_bus_message_unref(wait_done(&w, "prepare", "Busy"));
	call(&w, "Prepare", "a{sv}", 1, "ForceOffline", "b", 1);
	sd_bus_message_unref(wait_done(&w, "prepare", "Busy"));
	RUN("cmp image before");
	(void)close(user);
	call(&w, "Prepare", "a{sv}", 0);
	sd_bus_message_unref(wait_done(&w, "prepare", ""));
	/* And between the two steps: */
	user = open(loop, O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_true(user >= 0);
	RUN("cp image before");
	call(&w, "Convert", "a{sv}", 0);
	sd_bus_message_unref(wait_done(&w, "convert", "Busy"));
	RUN("cmp image before");
	(void)close(user);
	RUN("losetup --detach %s", loop);
	do_job(&w, "Convert", "convert");
	worker_quit(&w);
	assert_plaintext("a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_in_use_through_a_loop_device_is_refused),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
