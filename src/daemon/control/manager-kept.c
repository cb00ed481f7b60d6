/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Jobs and accepted calls in the state directory: a call with a RequestId is there before it is
 * answered, all else at the end of the turn in which it changed.
 */
#include <errno.h>

#include "daemon/control/core.h"
#include "daemon/state/kept-text.h"
#include "daemon/state/state-dir.h"
#include "util/cleanup.h"
#include "util/log.h"

#define KEPT_MAX ((size_t)4 << 20)

static struct state_dir_file file_of(const struct manager *m)
{
	return (struct state_dir_file){.dir = m->options->state_dir,
				       .name = "kept-jobs",
				       .what = "results of jobs do not outlive the daemon",
				       .max = KEPT_MAX};
}

void manager_load_jobs(struct manager *m)
{
	const struct state_dir_file file = file_of(m);
	_cleanup_free_ char *text = state_dir_read(&file);
	int r = text ? kept_parse(&m->jobs, text) : 0;

	if (r == -EBADMSG)
		state_dir_put_aside(&file);
	else if (r < 0)
		log_error_errno(r, "jobs of before are not known");
	job_drop_old(&m->jobs);
	m->jobs.unsaved = false;
}

void manager_save_jobs(struct manager *m)
{
	const struct state_dir_file file = file_of(m);
	_cleanup_free_ char *text = NULL;

	if (!m->jobs.unsaved)
		return;
	m->jobs.unsaved = false;
	if (kept_format(&m->jobs, &text) < 0)
		log_error("out of memory: jobs are not kept");
	else
		state_dir_write(&file, text);
}
