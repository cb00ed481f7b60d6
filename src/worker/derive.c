/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/derive.h"

#include <errno.h>
#include <sys/resource.h>

#include "luks/derive-job.h"
#include "util/checked.h"
#include "util/log.h"
#include "worker/child.h"
#include "util/key-memfd.h"

#define JOB_MAX  ((size_t)300 << 20) /* bytes: a key file of 8 MiB for each keyslot, and more */
#define SAID_MAX ((size_t)1 << 20)

/* Bytes of address space beside the memory of a derivation: libraries, stacks, the job. */
#define OTHER_MEMORY ((uint64_t)2 << 30)

static int run_child(const struct secret *job, const struct luks_place *place, int stop_fd,
		     uint64_t deadline, struct secret **ret_said)
{
	static const char *const argv[] = {"recrypt-worker", DERIVE_VERB, NULL};

	return child_run(argv, job, place, stop_fd, deadline, SAID_MAX, ret_said);
}

void derive_set_up(const struct luks_cost_limits *limits, uint64_t timeout_usec, int stop_fd)
{
	const struct luks_derive_policy policy = {
		.limits =
			{
				.memory = limits->memory ?: luks_cost_default_memory(),
				.steps = limits->steps,
			},
		.timeout_usec = timeout_usec,
		.stop_fd = stop_fd,
		.run = run_child,
	};

	luks_derive_set_policy(&policy);
}

/* Whatever the header says and libcryptsetup makes of it: here it ends. */
static int limit_memory(const struct secret *job)
{
	struct derive_job_head head;
	struct rlimit limit;
	uint64_t bytes;

	if (derive_job_head(job, &head) < 0 ||
	    add_u64(head.limits.memory, OTHER_MEMORY, &bytes) < 0)
		return -EBADMSG;
	limit.rlim_cur = limit.rlim_max = bytes;
#ifndef __SANITIZE_ADDRESS__ /* it reserves terabytes */
	if (setrlimit(RLIMIT_AS, &limit) < 0)
		return log_error_errno(-errno, "the memory of the process cannot be limited");
#endif
	return 0;
}

int derive_main(int argc, char **argv)
{
	_cleanup_(secret_freep) struct secret *job = NULL;
	int r;

	(void)argc;
	(void)argv;
	log_init("recrypt-worker", LOG_EMERG); /* the parent logs what it is told */
	r = child_protect();
	if (r < 0)
		return r;
	r = secret_read_fd(CHILD_INPUT_FD, -1, JOB_MAX, UINT64_MAX, &job);
	if (r < 0)
		return r;
	r = limit_memory(job);
	return r < 0 ? r : luks_derive_serve(job, CHILD_DATA_FD, CHILD_HEADER_FD, child_say);
}
