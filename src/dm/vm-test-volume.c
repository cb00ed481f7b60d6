/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The volume under test: its size, its keys, and the memory that all processes share. */
#include "dm/vm-test-stack.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/io.h"
#include "util/secret.h"

struct args args;
struct shared *shared;
uint64_t volume_size;

void *aligned_buffer(size_t size)
{
	void *p = aligned_alloc(BLOCK, size);

	if (!p)
		FATAL("no memory");
	return p;
}

static uint64_t number(const char *s)
{
	return strtoull(s, NULL, 10);
}

static struct secret *read_key(const char *file)
{
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct secret *s;
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (size <= 0 || secret_new((size_t)size, &s) < 0 ||
	    pread_full(fd, s->data, s->size, 0) < 0)
		FATAL("cannot read the key %s", file);
	return s;
}

/*
 * Keys are not inherited by children, so every process reads its own, and has none while it forks:
 * in user-mode Linux what a child maps in place of memory left out of the fork shows the parent's.
 */
static struct secret *keys[2];

void drop_keys(void)
{
	for (unsigned i = 0; i < 2; i++)
		keys[i] = secret_free(keys[i]);
}

dev_t device_number(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		FATAL("%s: %m", path);
	return st.st_rdev;
}

struct stack_config make_config(void)
{
	struct stack_config c = {
		.name = args.name,
		.uuid = args.uuid,
		.data_device = device_number(args.device),
		.data_offset = number(args.data_offset),
		.size = volume_size,
		.backward = args.backward,
		.may_be_thawed = true,
	};

	for (unsigned i = 0; i < 2; i++) {
		const struct side_args *a = &args.sides[i ^ shared->swapped];
		struct stack_side side;

		keys[i] = read_key(a->key_file);
		side = (struct stack_side){
			.cipher = "aes-xts-plain64",
			.key = keys[i],
			.sector_size = (uint32_t)number(a->sector_size),
			.digest = (unsigned)number(a->digest),
		};

		if (i == 0)
			c.old_side = side;
		else
			c.new_side = side;
	}
	return c;
}

int open_dm(const char *name)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		FATAL("cannot open %s: %m", path);
	return fd;
}

void must(int r, const char *what)
{
	if (r < 0)
		FATAL("%s: %s", what, strerror(-r));
}

static uint64_t size_of(const char *name)
{
	_cleanup_close_ int fd = open_dm(name);
	uint64_t size;

	if (ioctl(fd, BLKGETSIZE64, &size) < 0)
		FATAL("BLKGETSIZE64: %m");
	return size;
}

void volume_init(char **argv)
{
	args = (struct args){
		.name = argv[0],
		.device = argv[1],
		.data_offset = argv[2],
		.uuid = argv[3],
		.sides = {{argv[4], argv[5], argv[6]}, {argv[7], argv[8], argv[9]}},
		.backward = strncmp(argv[10], "backward", 8) == 0,
	};
	volume_size = size_of(args.name);
	if (volume_size / BLOCK > BLOCKS_MAX || volume_size % HOTZONE != 0)
		FATAL("the volume has %ju bytes", (uintmax_t)volume_size);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		FATAL("mmap: %m");
	shared->position.boundary = strchr(argv[10], ':') ? number(strchr(argv[10], ':') + 1)
				    : args.backward       ? volume_size
							  : 0;
}
