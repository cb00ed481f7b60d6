/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The device stack on a real kernel, for tests/vm/test-dm-stack: needs root and device-mapper.
 *
 *    vm-test-stack COMMAND NAME DEVICE DATA_OFFSET OLD_KEY OLD_SECTOR OLD_DIGEST NEW_KEY ... UUID
 *
 * Each command starts from an active volume as `cryptsetup open` left it. A writer process works on
 * the volume all the time; what it must find there is in memory that all processes share, and so is
 * the position that a header would hold. "kill" lets a worker die before and after each of its
 * device-mapper ioctls (this program's own ioctl() stands before libc's), lets one that takes over
 * die too, and takes over.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dm/crypt-map.h"
#include "dm/find.h"
#include "dm/stack.h"
#include "util/checked.h"
#include "util/clock.h"
#include "util/io.h"
#include "util/log.h"

#define BLOCK      UINT64_C(4096)
#define HOTZONE    (UINT64_C(64) * BLOCK)
#define BLOCKS_MAX 32768

#define FATAL(...)                                                                                 \
	do {                                                                                       \
		fprintf(stderr, "FAILED: " __VA_ARGS__);                                           \
		fprintf(stderr, "\n");                                                             \
		exit(1);                                                                           \
	} while (0)

/* What one side is, from the command line. */
struct side_args {
	const char *key_file, *sector_size, *digest;
};

struct args {
	const char *name, *device, *data_offset, *uuid;
	struct side_args sides[2];
	bool backward;
};

/* Shared by all processes. */
struct shared {
	/* The header: */
	struct stack_position position;
	bool swapped; /* the sides have changed their roles */
	uint8_t journal[HOTZONE];
	/* The writer: */
	volatile bool stop, quiet;
	uint64_t writes, errors;
	uint64_t generation[BLOCKS_MAX]; /* what is in each block */
};

static struct args args;
static struct shared *shared;
static uint64_t volume_size;

/* Counts down; the process dies before or after the ioctl at which it gets to 0. */
static int ioctls_to_live;
static bool die_after;

int ioctl(int fd, unsigned long request, ...)
{
	bool last = _IOC_TYPE(request) == DM_IOCTL && ioctls_to_live > 0 && --ioctls_to_live == 0;
	va_list ap;
	void *arg;
	long r;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (last && !die_after)
		(void)kill(getpid(), SIGKILL);
	r = syscall(SYS_ioctl, fd, request, arg);
	if (last)
		(void)kill(getpid(), SIGKILL);
	return (int)r;
}

static void *aligned_buffer(size_t size)
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

static void drop_keys(void)
{
	for (unsigned i = 0; i < 2; i++)
		keys[i] = secret_free(keys[i]);
}

static struct stack_config make_config(void)
{
	struct stack_config c = {
		.name = args.name,
		.uuid = args.uuid,
		.data_device = args.device,
		.data_offset = number(args.data_offset),
		.size = volume_size,
		.backward = args.backward,
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

static int open_dm(const char *name)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		FATAL("cannot open %s: %m", path);
	return fd;
}

/* --- the application --- */

static void fill_block(uint64_t *block, uint64_t index, uint64_t generation)
{
	for (size_t i = 0; i < BLOCK / sizeof(*block); i += 2) {
		block[i] = index;
		block[i + 1] = generation;
	}
}

static void check_block(const uint64_t *block, uint64_t index, const char *when)
{
	uint64_t expected[BLOCK / sizeof(uint64_t)];

	fill_block(expected, index, shared->generation[index]);
	if (memcmp(block, expected, BLOCK) != 0)
		FATAL("%s: block %ju holds block %ju of generation %ju instead of %ju", when,
		      (uintmax_t)index, (uintmax_t)block[0], (uintmax_t)block[1],
		      (uintmax_t)shared->generation[index]);
}

/* Overwrites and reads back random blocks, most of them near the edge, until told to stop. */
static void run_writer(unsigned seed)
{
	_cleanup_close_ int fd = open_dm(args.name);
	uint64_t *block = aligned_buffer(BLOCK);
	const uint64_t blocks = volume_size / BLOCK;

	srandom(seed);
	while (!shared->stop) {
		const uint64_t edge = shared->position.boundary / BLOCK;
		uint64_t index = (uint64_t)random() % blocks;

		if (index % 4 != 0)
			index = (edge + blocks - 96 + index % 192) % blocks;
		fill_block(block, index, shared->generation[index] + 1);
		/* A range that was given up answers EIO until it is back. */
		while (pwrite_full(fd, block, BLOCK, index * BLOCK) < 0)
			shared->errors++;
		shared->generation[index]++;
		if (pread_full(fd, block, BLOCK, index * BLOCK) == 0)
			check_block(block, index, "the writer");
		else
			shared->errors++;
		shared->writes++;
	}
	free(block);
}

static pid_t start_writer(unsigned seed)
{
	pid_t pid;

	shared->stop = false;
	pid = fork();
	if (pid < 0)
		FATAL("fork: %m");
	if (pid == 0) {
		run_writer(seed);
		_exit(0);
	}
	return pid;
}

static void stop_writer(pid_t pid)
{
	int status;

	shared->stop = true;
	if (waitpid(pid, &status, 0) != pid || status != 0)
		FATAL("the writer ended with status %#x", (unsigned)status);
}

static void check_volume(const char *when)
{
	_cleanup_close_ int fd = open_dm(args.name);
	uint64_t *block = aligned_buffer(BLOCK);

	for (uint64_t i = 0; i < volume_size / BLOCK; i++) {
		int r = pread_full(fd, block, BLOCK, i * BLOCK);

		if (r < 0)
			FATAL("%s: cannot read block %ju: %s", when, (uintmax_t)i, strerror(-r));
		check_block(block, i, when);
	}
	free(block);
}

static void fill_volume(void)
{
	_cleanup_close_ int fd = open_dm(args.name);
	uint64_t *block = aligned_buffer(BLOCK);

	for (uint64_t i = 0; i < volume_size / BLOCK; i++) {
		fill_block(block, i, shared->generation[i]);
		if (pwrite_full(fd, block, BLOCK, i * BLOCK) < 0)
			FATAL("cannot fill block %ju", (uintmax_t)i);
	}
	free(block);
}

/* --- the engine --- */

static void must(int r, const char *what)
{
	if (r < 0)
		FATAL("%s: %s", what, strerror(-r));
}

/* Where the next hotzone lies, in the way of the conversion. */
static uint64_t hotzone_offset(void)
{
	return args.backward ? shared->position.boundary - HOTZONE : shared->position.boundary;
}

/* The hotzone's plaintext, from where it is safe, to the new side. Any number of times. */
static void replay_journal(const struct stack *s)
{
	_cleanup_close_ int fd = open_dm(stack_side_name(s, true));
	void *buf = aligned_buffer(HOTZONE);

	memcpy(buf, shared->journal, HOTZONE);
	must(pwrite_full(fd, buf, HOTZONE, hotzone_offset()), "write to the new side");
	free(buf);
}

static void commit(bool hot, uint64_t boundary)
{
	shared->position.boundary = boundary;
	__sync_synchronize();
	shared->position.hotzone_size = hot ? HOTZONE : 0;
	__sync_synchronize();
}

static void finish_hotzone(struct stack *s)
{
	const uint64_t offset = hotzone_offset();

	replay_journal(s);
	/* The two halves of a position become visible together, as a header does. */
	shared->position.hotzone_size = 0;
	shared->position.boundary = args.backward ? offset : offset + HOTZONE;
	must(stack_thaw(s, shared->position.boundary), "thaw");
}

static void begin_hotzone(struct stack *s)
{
	_cleanup_close_ int fd = open_dm(stack_side_name(s, false));
	void *buf = aligned_buffer(HOTZONE);

	must(stack_freeze(s, hotzone_offset(), HOTZONE), "freeze");
	must(pread_full(fd, buf, HOTZONE, hotzone_offset()), "read from the old side");
	memcpy(shared->journal, buf, HOTZONE);
	free(buf);
}

static void convert_one(struct stack *s)
{
	begin_hotzone(s);
	commit(true, shared->position.boundary);
	finish_hotzone(s);
}

static uint64_t left(void)
{
	return args.backward ? shared->position.boundary : volume_size - shared->position.boundary;
}

/* What finished is the old side of the next conversion. */
static void turn_around_at_end(void)
{
	if (left() >= HOTZONE)
		return;
	shared->swapped = !shared->swapped;
	shared->position.boundary = args.backward ? volume_size : 0;
}

static void leave(struct stack *s)
{
	(void)stack_free(s);
	drop_keys();
}

static struct stack *take(void)
{
	const struct stack_config c = make_config();
	struct stack *s;

	must(stack_new(&c, &shared->position, &s), "stack_new");
	return s;
}

/*
 * One of each: converted, given up and brought back, given up and converted, frozen in vain. Near
 * the end, what is left is converted.
 */
static void life(void)
{
	struct stack *s = take();

	if (shared->position.hotzone_size > 0)
		finish_hotzone(s);
	if (left() >= 4 * HOTZONE) {
		convert_one(s);
		begin_hotzone(s);
		must(stack_fail(s), "fail");
		must(stack_thaw(s, shared->position.boundary), "thaw a failed range");
		begin_hotzone(s);
		commit(true, shared->position.boundary);
		must(stack_fail(s), "fail");
		finish_hotzone(s);
		must(stack_freeze(s, hotzone_offset(), HOTZONE), "freeze");
		must(stack_thaw(s, shared->position.boundary), "thaw as it was");
	} else {
		while (left() >= HOTZONE)
			convert_one(s);
	}
	must(stack_dissolve(s, shared->position.boundary), "dissolve");
	leave(s);
}

/* The same, in a process that dies at its @n-th ioctl. Returns whether it did. */
static bool life_until(int n, bool after)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		FATAL("fork: %m");
	if (pid == 0) {
		ioctls_to_live = n;
		die_after = after;
		life();
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		FATAL("waitpid: %m");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return false;
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		FATAL("a worker that was to die at ioctl %d ended with status %#x", n,
		      (unsigned)status);
	return true;
}

/* I/O goes on after all that: the writer gets something done in every part of the volume. */
static void expect_progress(const char *when)
{
	const uint64_t from = shared->writes, start = now_usec();

	while (shared->writes < from + 20) {
		if (now_usec() > start + 30000000)
			FATAL("%s: the writer is stuck", when);
		(void)usleep(1000);
	}
}

static void run_kill(unsigned seed)
{
	pid_t writer;
	int n = 1, deaths = 0;

	printf("seed %u\n", seed);
	srandom(seed);
	fill_volume();
	writer = start_writer(seed);
	for (bool after = false;;) {
		char when[128];
		int second = 1 + (int)(random() % 30);
		/* Only one of those that do everything tells that there is no further ioctl. */
		bool full = left() >= 4 * HOTZONE;
		bool died = life_until(n, after);

		(void)snprintf(when, sizeof(when), "killed %s ioctl %d, then at %d",
			       after ? "after" : "before", n, second);
		deaths += died;
		if (died)
			deaths += life_until(second, random() % 2);
		life();
		expect_progress(when);
		if (shared->position.hotzone_size != 0)
			FATAL("%s: the hotzone was not finished", when);
		turn_around_at_end();
		if (!died && !full)
			continue;
		if (!died && after)
			break;
		n += after;
		after = !after;
	}
	stop_writer(writer);
	check_volume("at the end");
	printf("%d deaths at %d ioctls, %ju writes, %ju answered EIO\n", deaths, n - 1,
	       (uintmax_t)shared->writes, (uintmax_t)shared->errors);
	if (n < 60)
		FATAL("a life has more than 60 ioctls");
}

/* --- times --- */

static void measure(const char *load)
{
	struct stack *s = take();
	uint64_t count = 0, sum = 0, most = 0, sum_freeze = 0;

	while (left() >= HOTZONE) {
		const uint64_t edge = args.backward ? hotzone_offset() : hotzone_offset() + HOTZONE;
		const uint64_t start = now_usec();
		uint64_t frozen, took;

		must(stack_freeze(s, hotzone_offset(), HOTZONE), "freeze");
		frozen = now_usec();
		/* Nobody looks at the data here, so none is converted. */
		must(stack_thaw(s, edge), "thaw");
		took = now_usec() - start;
		shared->position.boundary = edge;
		count++;
		sum += took;
		sum_freeze += frozen - start;
		most = MAX(most, took);
	}
	must(count > 0 ? 0 : -ENODATA, "one cycle of freeze and thaw at least");
	printf("%s: %ju cycles of freeze and thaw, mean %ju us (freeze %ju us), longest %ju us\n",
	       load, (uintmax_t)count, (uintmax_t)(sum / count), (uintmax_t)(sum_freeze / count),
	       (uintmax_t)most);
	leave(s);
}

/* Reads only, any content: 4 KiB blocks at random. */
static pid_t start_reader(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		_cleanup_close_ int fd = open_dm(args.name);
		void *block = aligned_buffer(BLOCK);

		for (;;)
			(void)pread_full(fd, block, BLOCK,
					 (uint64_t)random() % (volume_size / BLOCK) * BLOCK);
	}
	return pid;
}

static void run_measure(void)
{
	pid_t readers[4];

	measure("idle");
	shared->position.boundary = args.backward ? volume_size : 0;
	for (unsigned i = 0; i < ARRAY_SIZE(readers); i++)
		readers[i] = start_reader();
	/* What is there is a stack for another boundary: start anew. */
	shared->position.boundary = args.backward ? 0 : volume_size;
	{
		struct stack *s = take();

		must(stack_dissolve(s, shared->position.boundary), "dissolve");
		leave(s);
	}
	turn_around_at_end();
	measure("four readers");
	for (unsigned i = 0; i < ARRAY_SIZE(readers); i++) {
		(void)kill(readers[i], SIGKILL);
		(void)waitpid(readers[i], NULL, 0);
	}
}

/* --- small ones --- */

/* Leaves the stack in a state, for `cryptsetup close` to find. */
static void run_leave(const char *state)
{
	struct stack *s = take();

	if (strcmp(state, "rest") != 0) {
		/*
		 * Not the first range: cryptsetup reads from what is behind NAME's first sector,
		 * and would wait there (as it does on its own stack).
		 */
		convert_one(s);
		must(stack_freeze(s, hotzone_offset(), HOTZONE), "freeze");
		if (strcmp(state, "converted") == 0)
			must(stack_thaw(s, args.backward ? hotzone_offset()
							 : hotzone_offset() + HOTZONE),
			     "thaw");
		else if (strcmp(state, "as-it-was") == 0)
			must(stack_thaw(s, shared->position.boundary), "thaw");
		else if (strcmp(state, "failed") == 0)
			must(stack_fail(s), "fail");
		else
			FATAL("no state %s", state);
	}
	leave(s);
}

static void expect_error(const struct stack_config *c, const struct stack_position *p, int error,
			 const char *what)
{
	struct stack *s = NULL;
	int r = stack_new(c, p, &s);

	if (r != error || s)
		FATAL("%s: %s instead of %s", what, strerror(-r), strerror(-error));
}

/* Whatever is not as the header says is refused; the caller sees that no table has changed. */
static void run_refuse(void)
{
	const struct stack_config right = make_config();
	const struct stack_position clean = shared->position;
	const struct stack_position hot = {
		.boundary = clean.boundary,
		.hotzone_size = HOTZONE,
	};
	const struct stack_position elsewhere = {.boundary = volume_size / 2};
	struct stack_config c;

	expect_error(&right, &hot, -EUNATCH, "a hotzone that nobody froze");
	expect_error(&right, &elsewhere, -ENOTUNIQ, "another boundary");
	c = right;
	c.old_side.digest++;
	c.old_side.key = right.new_side.key;
	expect_error(&c, &clean, -ENOTUNIQ, "another key");
	c = right;
	c.data_offset += BLOCK;
	expect_error(&c, &clean, -ENOTUNIQ, "another offset");
	c = right;
	c.size -= BLOCK;
	expect_error(&c, &clean, -ENOTUNIQ, "another size");
	c = right;
	c.old_side.cipher = "aes-cbc-essiv:sha256";
	expect_error(&c, &clean, -ENOTUNIQ, "another cipher");
	c = right;
	c.data_device = "/dev/null";
	expect_error(&c, &clean, -ENOTBLK, "no block device");
	c = right;
	c.data_device = "/dev/ubda";
	expect_error(&c, &clean, -ENOTUNIQ, "another device");
	c = right;
	c.uuid = "00000000-0000-0000-0000-000000000000";
	expect_error(&c, &clean, -ENOTUNIQ, "another volume");
	c = right;
	c.name = "no-such-volume";
	expect_error(&c, &clean, -ENODEV, "no volume");
	c.name = "../vol";
	expect_error(&c, &clean, -EINVAL, "a hostile name");
	drop_keys();
}

/* NAME has a stack, at rest. */
static void run_refuse_stacked(void)
{
	const struct stack_config right = make_config();
	const struct stack_position hot = {
		.boundary = shared->position.boundary,
		.hotzone_size = HOTZONE,
	};
	struct stack_config c = right;

	expect_error(&right, &hot, -EUNATCH, "a hotzone that is not frozen");
	c.new_side.key = right.old_side.key;
	c.new_side.digest += 5;
	expect_error(&c, &shared->position, -ENOTUNIQ, "a helper with another key");
	drop_keys();
}

/* Back to plain, where the stack stands at the start of the conversion. */
static void run_dissolve(void)
{
	struct stack *s = take();

	must(stack_dissolve(s, shared->position.boundary), "dissolve");
	leave(s);
}

/* The volume is found by its UUID, and what is said of it is so. */
static void run_find(void)
{
	struct active_volume v;
	struct stack *s;

	must(find_active_volume(args.uuid, &v), "find the volume");
	if (strcmp(v.name, args.name) != 0 || v.suspended || v.helpers || v.frozen)
		FATAL("a plain volume is not described as one");
	s = take();
	must(find_active_volume(args.uuid, &v), "find the volume");
	if (!v.helpers || v.frozen)
		FATAL("a volume with a stack at rest is not described as one");
	must(stack_freeze(s, hotzone_offset(), HOTZONE), "freeze");
	must(find_active_volume(args.uuid, &v), "find the volume");
	if (!v.helpers || !v.frozen)
		FATAL("a volume with a frozen range is not described as one");
	must(stack_thaw(s, shared->position.boundary), "thaw");
	must(stack_dissolve(s, shared->position.boundary), "dissolve");
	leave(s);
	if (find_active_volume("00000000-0000-0000-0000-000000000000", &v) != -ENODEV)
		FATAL("a volume that is not there is found");
}

/* A private mapping under the old key shows what the volume shows, and goes away. */
static void run_map(void)
{
	_cleanup_(crypt_map_freep) struct crypt_map *m = NULL;
	const struct stack_config c = make_config();
	uint64_t *expected = aligned_buffer(BLOCK), *seen = aligned_buffer(BLOCK);

	fill_volume();
	must(crypt_map_new(args.device, c.data_offset, c.size, &c.old_side, &m), "map");
	{
		_cleanup_close_ int fd = open(crypt_map_path(m), O_RDONLY | O_DIRECT | O_CLOEXEC);

		for (uint64_t i = 0; i < volume_size / BLOCK; i++) {
			must(pread_full(fd, seen, BLOCK, i * BLOCK), "read the mapping");
			fill_block(expected, i, 0);
			if (memcmp(seen, expected, BLOCK) != 0)
				FATAL("the mapping shows something else in block %ju",
				      (uintmax_t)i);
		}
	}
	free(expected);
	free(seen);
	drop_keys();
}

static uint64_t size_of(const char *name)
{
	_cleanup_close_ int fd = open_dm(name);
	uint64_t size;

	if (ioctl(fd, BLKGETSIZE64, &size) < 0)
		FATAL("BLKGETSIZE64: %m");
	return size;
}

int main(int argc, char **argv)
{
	if (argc != 13)
		FATAL("usage: %s COMMAND NAME DEVICE DATA_OFFSET UUID OLD_KEY OLD_SECTOR "
		      "OLD_DIGEST "
		      "NEW_KEY NEW_SECTOR NEW_DIGEST forward|backward[:BOUNDARY]",
		      argv[0]);
	log_init("vm-test-stack", LOG_DEBUG);
	(void)setvbuf(stdout, NULL, _IONBF, 0);
	args = (struct args){
		.name = argv[2],
		.device = argv[3],
		.data_offset = argv[4],
		.uuid = argv[5],
		.sides = {{argv[6], argv[7], argv[8]}, {argv[9], argv[10], argv[11]}},
		.backward = strncmp(argv[12], "backward", 8) == 0,
	};
	volume_size = size_of(args.name);
	if (volume_size / BLOCK > BLOCKS_MAX || volume_size % HOTZONE != 0)
		FATAL("the volume has %ju bytes", (uintmax_t)volume_size);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		FATAL("mmap: %m");
	shared->position.boundary = strchr(argv[12], ':') ? number(strchr(argv[12], ':') + 1)
				    : args.backward       ? volume_size
							  : 0;

	if (strcmp(argv[1], "kill") == 0)
		run_kill((unsigned)getpid() ^ (unsigned)now_usec());
	else if (strcmp(argv[1], "measure") == 0)
		run_measure();
	else if (strncmp(argv[1], "leave:", 6) == 0)
		run_leave(argv[1] + 6);
	else if (strcmp(argv[1], "refuse") == 0)
		run_refuse();
	else if (strcmp(argv[1], "refuse-stacked") == 0)
		run_refuse_stacked();
	else if (strcmp(argv[1], "find") == 0)
		run_find();
	else if (strcmp(argv[1], "map") == 0)
		run_map();
	else if (strcmp(argv[1], "dissolve") == 0)
		run_dissolve();
	else
		FATAL("no command %s", argv[1]);
	return 0;
}
