/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A worker that was told which volume its jobs are for refuses any other at the same path, in each
 * job, and leaves it as it is.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/cleanup.h"
#include "worker/test-service-support.h"

/* SetIdentity() with what Inspect() says. */
static void pin(struct worker *w)
{
	sd_bus_message *m = inspect(w);
	const uint64_t number = get_number(m, "DeviceNumber"), inode = get_number(m, "DeviceInode");
	char uuid[37];

	(void)snprintf(uuid, sizeof(uuid), "%s", get_text(m, "UUID"));
	assert_int_equal(number, get_number(m, "HeaderNumber"));
	assert_int_equal(inode, get_number(m, "HeaderInode"));
	sd_bus_message_unref(m);
	call(w, "SetIdentity", "a{sv}", 6, "UUID", "s", uuid, "DeviceNumber", "t", number,
	     "DeviceInode", "t", inode, "HeaderNumber", "t", number, "HeaderInode", "t", inode,
	     "OfALaterVersion", "as", 0);
}

static void refuses(struct worker *w, const char *method, const char *job)
{
	call(w, method, "a{sv}", 0);
	sd_bus_message_unref(wait_done(w, job, "HeaderConflict"));
}

/* All that opens the volume: the passphrase @w holds would open the other one, too. */
static void refuses_all(struct worker *w)
{
	_cleanup_close_ int secret = secret_pipe("a"), key = secret_memfd("k", 1);

	RUN("sha256sum <image >before");
	call_fails(w, "HeaderConflict", "Inspect", "");
	call_fails(w, "HeaderConflict", "SetRecord", "s", "{}");
	call(w, "Unlock", "ha{sv}", secret, 0);
	sd_bus_message_unref(wait_done(w, "unlock", "HeaderConflict"));
	call(w, "Adopt", "hh", key, key);
	sd_bus_message_unref(wait_done(w, "adopt", "HeaderConflict"));
	refuses(w, "UseProvider", "use-provider");
	refuses(w, "Check", "check");
	refuses(w, "Prepare", "prepare");
	refuses(w, "Undo", "undo");
	refuses(w, "Convert", "convert");
	refuses(w, "Recover", "recover");
	refuses(w, "Reverse", "reverse");
	RUN("sha256sum <image | cmp - before");
}

static void another_volume_in_the_same_file_is_refused(void **state)
{
	struct worker w;

	(void)state;
	make_volume(4, "");
	worker_start(&w, NULL);
	unlock(&w, "a");
	pin(&w);
	sd_bus_message_unref(inspect(&w));
	RUN("cryptsetup luksUUID -q --uuid 0d8d5b2f-6f0c-4b0a-9d6d-3a3c1a6c7f01 image");
	refuses_all(&w);
	worker_quit(&w);
}

static void a_copy_with_the_same_uuid_is_refused(void **state)
{
	struct worker w;

	(void)state;
	make_volume(4, "");
	worker_start(&w, NULL);
	unlock(&w, "a");
	pin(&w);
	RUN("cp image copy && mv image original && mv copy image");
	refuses_all(&w);
	RUN("mv original image");
	sd_bus_message_unref(inspect(&w));
	call(&w, "Prepare", "a{sv}", 0);
	sd_bus_message_unref(wait_done(&w, "prepare", ""));
	worker_quit(&w);
}

/* An older manager says nothing. */
static void without_an_identity_any_volume_will_do(void **state)
{
	struct worker w;

	(void)state;
	make_volume(4, "");
	worker_start(&w, NULL);
	unlock(&w, "a");
	RUN("cp image copy && mv copy image");
	call(&w, "Prepare", "a{sv}", 0);
	sd_bus_message_unref(wait_done(&w, "prepare", ""));
	worker_quit(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_volume_in_the_same_file_is_refused),
		cmocka_unit_test(a_copy_with_the_same_uuid_is_refused),
		cmocka_unit_test(without_an_identity_any_volume_will_do),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
