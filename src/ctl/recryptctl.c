/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * recryptctl: checks the command line and hands the work on. What converts data is done by
 * the daemon, or by a recrypt-worker that is started here and told by the same messages; what only
 * looks is done here.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/foreground.h"
#include "ctl/status.h"
#include "ctl/verbs.h"
#include "util/checked.h"
#include "util/exit-code.h"
#include "util/log.h"
#include "cli/help.h"
#include "cli/program.h"

static int run_here(const struct options *o)
{
	int r = check_kind(o);

	return r < 0 ? r : run_in_foreground(o);
}

static int run_reencrypt(const struct options *o)
{
	bool done;
	int r = verb_reencrypt(o, &done);

	return done ? r : run_here(o);
}

static int run_cancel(const struct options *o)
{
	bool done;
	int r = verb_cancel(o, &done);

	return done ? r : run_here(o);
}

static int run_status(const struct options *o)
{
	return o->target.device || o->target.active_name ? verb_status(o) : verb_list(o);
}

static int check_printed(int r)
{
	return r < 0 ? log_error_errno(r, "cannot write to standard output") : 0;
}

static int run_help(const struct options *o)
{
	return check_printed(help_print("recryptctl", o->help_of, stdout));
}

static int run_version(const struct options *o)
{
	(void)o;
	printf("recryptctl " PACKAGE_VERSION "\n");
	return check_printed(fflush(stdout) == 0 ? 0 : -errno);
}

static const struct {
	enum verb verb;
	int (*run)(const struct options *o);
} verbs[] = {
	{VERB_REENCRYPT, run_reencrypt}, {VERB_RECOVER, run_here},
	{VERB_CANCEL, run_cancel},       {VERB_STATUS, run_status},
	{VERB_HELP, run_help},           {VERB_VERSION, run_version},
	{VERB_LIST, verb_list},          {VERB_ROTATE, verb_rotate},
	{VERB_SUSPEND, verb_suspend},    {VERB_RESUME, verb_resume},
	{VERB_RATE, verb_rate},          {VERB_UNLOCK, verb_unlock},
	{VERB_LOCK, verb_lock},          {VERB_KEYS, verb_keys},
	{VERB_CHECK, verb_check},        {VERB_MONITOR, verb_monitor},
	{VERB_WAIT, verb_wait},          {VERB_ADD, verb_add},
	{VERB_REMOVE, verb_remove},      {VERB_ACCEPT, verb_accept},
	{VERB_CONFIG, verb_config},      {VERB_HISTORY, verb_history},
	{VERB_COMPLETE, verb_complete},
};

/* What is positive is an exit code already. */
static int exit_code_of(int r)
{
	return r > 0 ? r : exit_code(r);
}

int main(int argc, char **argv)
{
	struct options o;
	int r;

	r = program_start(argc, argv, &o);
	if (r < 0)
		return exit_code(r);
	options_tell_ignored(&o);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (verbs[i].verb == o.verb)
			return exit_code_of(verbs[i].run(&o));
	return EXIT_FAILURE;
}
