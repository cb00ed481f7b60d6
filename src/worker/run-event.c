/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/run-event.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/file.h"
#include "util/log.h"

static int check_program(const char *path)
{
	_cleanup_(found_file_clear) struct found_file found = FOUND_FILE_NONE;
	struct file_doubt why = {};
	struct stat st;
	int r = file_find(path, &found, &why);

	if (r < 0 && *why.text)
		return log_refusal(r, "OnEvent=%s: %s", path, why.text);
	if (r < 0)
		return log_error_errno(r, "OnEvent=%s", path);
	if (fstat(found.fd, &st) < 0)
		return log_error_errno(-errno, "OnEvent=%s", path);
	if (*found.doubt.text)
		return log_refusal(-EPERM, "OnEvent=%s is not run: %s", path, found.doubt.text);
	if (!S_ISREG(st.st_mode) || st.st_uid != 0)
		return log_refusal(-EPERM, "OnEvent=%s is not run: it is no file of root's", path);
	return 0;
}

int run_event_main(int argc, char **argv)
{
	_cleanup_free_ char *path = strdup(getenv(RUN_EVENT_PROGRAM) ?: "");
	int r;

	(void)argv;
	log_init("recrypt-worker", LOG_NOTICE);
	if (!path)
		return -ENOMEM;
	if (argc != 1 || *path != '/')
		return log_refusal(-EINVAL, "recrypt-worker " RUN_EVENT_VERB
					    " is started for OnEvent= of recryptd.conf(5)");
	r = check_program(path);
	if (r < 0)
		return r;
	/* Nobody but root could put another file there by now. */
	(void)unsetenv(RUN_EVENT_PROGRAM);
	(void)execv(path, (char *const[]){path, NULL});
	return log_error_errno(-errno, "OnEvent=%s", path);
}
