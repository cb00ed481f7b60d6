/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/process.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "util/checked.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/secret.h"

/* Bytes. A commit of the header needs some KiB beside its JSON. */
#define RESERVE       ((size_t)1 << 20)
#define RESERVE_PIECE ((size_t)64 << 10)

/*
 * Bytes; the largest that mallopt() takes. The JSON of a header is never larger. A glibc of 32 bits
 * takes less. Below the last one, which is glibc's default, nothing is won.
 */
#define FROM_HEAP     (32 << 20)
#define FROM_HEAP_MIN (128 << 10)

#ifndef __SANITIZE_ADDRESS__ /* its malloc has no such options */
static bool set_from_heap(void)
{
	for (int size = FROM_HEAP; size >= FROM_HEAP_MIN; size /= 2)
		if (mallopt(M_MMAP_THRESHOLD, size))
			return true;
	return false;
}
#endif

/*
 * Memory that was had once is kept: malloc must not go back to the kernel, and perhaps wait for
 * swap on the volume, while a range is frozen. OpenSSL allocates a little for each digest, and
 * json-c copies a token's text, which can be large. Of a mapping of its own nothing is kept.
 */
static int keep_memory(void)
{
#ifndef __SANITIZE_ADDRESS__
	if (!mallopt(M_ARENA_MAX, 1) || !mallopt(M_TRIM_THRESHOLD, -1) || !set_from_heap())
		return -ENOMEM;
#endif
	return 0;
}

int process_protect(void)
{
	int r = secret_forbid_looking_in();

	return r < 0 ? r : keep_memory();
}

/* The kernel says EPERM where no memory at all may be locked. */
static int lock_memory(void)
{
#ifndef __SANITIZE_ADDRESS__
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0) {
		const int error = errno;

		/* Said by a worker that is quiet, too: nobody else can tell why it died. */
		(void)log_message_errno(LOG_CRIT, -error, "cannot lock memory, see RLIMIT_MEMLOCK");
		return error == EPERM ? -ENOMEM : -error;
	}
#endif
	return 0;
}

/* The kernel ends processes with a high score first when memory runs out, from -1000 to 1000. */
static void set_oom_score(const char *score)
{
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, score, strlen(score)) != (ssize_t)strlen(score))
		log_debug("the kernel does not let this process choose what it ends first when "
			  "memory runs out");
}

int process_be_expendable(void)
{
	(void)prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0); /* perhaps inherited */
	set_oom_score("1000");
	return lock_memory();
}

int process_stay_in_memory(void)
{
	int r = lock_memory();

	if (r < 0)
		return r;
	/* Memory is never had by writing something out, which could wait for us
	 * (PR_SET_IO_FLUSHER(2const)). */
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) < 0)
		log_debug("the kernel does not take this process for one that serves I/O");
	set_oom_score("-1000");
	return 0;
}

int process_reserve_memory(void)
{
#ifndef __SANITIZE_ADDRESS__
	void *pieces[RESERVE / RESERVE_PIECE];
	size_t n = 0;
	int r = 0;

	for (; n < ARRAY_SIZE(pieces) && r == 0; n++) {
		pieces[n] = malloc(RESERVE_PIECE);
		if (pieces[n])
			explicit_bzero(pieces[n], RESERVE_PIECE);
		else
			r = -ENOMEM;
	}
	while (n > 0)
		free(pieces[--n]);
	if (r < 0)
		return log_error_errno(r, "cannot reserve memory for the commits of the header");
#endif
	return 0;
}

void process_outlive_final_kill(void)
{
	program_invocation_name[0] = '@';
}
