/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/in-use.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io/extent.h"
#include "io/loop.h"
#include "io/stacking.h"
#include "util/clock.h"
#include "util/cleanup.h"

/* The kernel claims a loop device itself, for a moment, to look for partitions. */
#define CLAIM_USEC (500 * UINT64_C(1000))

struct holder_search {
	struct loop_claims *claims;
	struct extent extent;
	dev_t own, own_disk; /* of a block device: it, and the disk that it is a partition of; 0 */
	struct use_reason *why;
	bool unknown;
};

static bool is_claimed(const struct loop_claims *claims, dev_t device)
{
	for (size_t i = 0; i < claims->n; i++)
		if (claims->loop[i].device == device)
			return true;
	return false;
}

static int open_exclusively(dev_t device)
{
	const struct timespec moment = {.tv_nsec = 10000000};
	const uint64_t end = now_usec() + CLAIM_USEC;
	int fd;

	while ((fd = device_open_node(device, O_RDONLY | O_EXCL)) == -EBUSY && now_usec() < end)
		(void)nanosleep(&moment, NULL);
	return fd;
}

/* Without this, a block that it caches could be written over what we write past it. */
static int empty_cache(int fd)
{
	if (fsync(fd) < 0 || ioctl(fd, BLKFLSBUF) < 0)
		return -errno;
	return 0;
}

static int claim_loop(struct holder_search *s, dev_t device, const char *name)
{
	_cleanup_close_ int fd = -1;
	struct loop_claim *more;
	int r;

	assert(!is_claimed(s->claims, device));
	fd = open_exclusively(device);
	if (fd == -ENXIO)
		return 0; /* nothing is under it any more */
	if (fd == -EBUSY) {
		(void)snprintf(s->why->text, sizeof(s->why->text), "/dev/%s", name);
		return -EBUSY;
	}
	if (fd < 0)
		return fd;
	r = empty_cache(fd);
	if (r < 0) {
		(void)snprintf(s->why->text, sizeof(s->why->text), "/dev/%s: cannot be flushed: %s",
			       name, strerror(-r));
		return r;
	}
	more = reallocarray(s->claims->loop, s->claims->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	more[s->claims->n++] = (struct loop_claim){.device = device, .fd = TAKE_FD(fd)};
	s->claims->loop = more;
	return 0;
}

/* The first device that cannot be looked at is named, and the others may still be found in use. */
static void note_unknown(struct holder_search *s, const char *name, int error)
{
	if (!s->unknown)
		(void)snprintf(s->why->text, sizeof(s->why->text), "/dev/%s: %s", name,
			       strerror(-error));
	s->unknown = true;
}

static int claim_if_shared(struct holder_search *s, dev_t device, const char *name)
{
	struct extent extent;
	int r = extent_of_device(device, &extent);

	if (r < 0 || !extent_overlaps(&extent, &s->extent))
		return r;
	return claim_loop(s, device, name);
}

static int look_at_loop(dev_t device, const char *name, void *arg)
{
	struct holder_search *s = arg;
	int r;

	if (device == s->own || device == s->own_disk || is_claimed(s->claims, device))
		return 0;
	r = claim_if_shared(s, device, name);
	if (r == 0 || r == -ENXIO)
		return 0;
	if (r == -EBUSY || r == -EIO || r == -ENOMEM)
		return r;
	note_unknown(s, name, r);
	return 0;
}

int loop_claims_take(struct loop_claims *claims, int fd, struct use_reason *why)
{
	struct holder_search s = {.claims = claims, .why = why};
	struct stat st;
	int r;

	*why = (struct use_reason){""};
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode)) {
		s.own = st.st_rdev;
		(void)device_is_partition(st.st_rdev, &s.own_disk);
	}
	r = extent_of_stat(&st, &s.extent);
	if (r < 0) {
		(void)snprintf(why->text, sizeof(why->text), "what is below it: %s", strerror(-r));
		return -ENODATA;
	}
	r = loop_each(look_at_loop, &s);
	if (r == -ENOENT || r == -EACCES) {
		(void)snprintf(why->text, sizeof(why->text), "/sys/block: %s", strerror(-r));
		return -ENODATA;
	}
	return r == 0 && s.unknown ? -ENODATA : r;
}

void loop_claims_free(struct loop_claims *claims)
{
	for (size_t i = 0; i < claims->n; i++)
		(void)close(claims->loop[i].fd);
	free(claims->loop);
	*claims = (struct loop_claims){0};
}

int file_check_locks(int fd, struct use_reason *why)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return 0;
	if (lock.l_pid > 0)
		(void)snprintf(why->text, sizeof(why->text), "process %d has locked it",
			       (int)lock.l_pid);
	else
		(void)snprintf(why->text, sizeof(why->text), "another program has locked it");
	return -EBUSY;
}
