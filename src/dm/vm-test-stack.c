/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The device stack on a real kernel, for tests/vm/test-dm-stack: needs root and device-mapper. Each
 * command starts from an active volume as `cryptsetup open` left it. The short commands stand here.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "dm/crypt-map.h"
#include "dm/find.h"
#include "dm/vm-test-stack.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/io.h"
#include "util/log.h"

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

/* Back to plain, where the stack stands at the start of the conversion. */
static void run_dissolve(void)
{
	struct stack *s = take();

	must(stack_dissolve(s, shared->position.boundary), "dissolve");
	leave(s);
}

static struct active_volume find_one(void)
{
	struct active_volumes all;

	must(find_active_volumes(args.uuid, &all), "find the volume");
	if (all.n != 1)
		FATAL("%zu volumes are found", all.n);
	return all.volume[0];
}

/* The volume is found by its UUID, and what is said of it is so. */
static void run_find(void)
{
	struct active_volumes none;
	struct active_volume v;
	struct stack *s;

	v = find_one();
	if (strcmp(v.name, args.name) != 0 || v.suspended || v.helpers || v.frozen)
		FATAL("a plain volume is not described as one");
	s = take();
	v = find_one();
	if (!v.helpers || v.frozen)
		FATAL("a volume with a stack at rest is not described as one");
	must(stack_freeze(s, hotzone_offset(), HOTZONE), "freeze");
	v = find_one();
	if (!v.helpers || !v.frozen)
		FATAL("a volume with a frozen range is not described as one");
	must(stack_thaw(s, shared->position.boundary), "thaw");
	must(stack_dissolve(s, shared->position.boundary), "dissolve");
	leave(s);
	must(find_active_volumes("00000000-0000-0000-0000-000000000000", &none), "find none");
	if (none.n != 0)
		FATAL("a volume that is not there is found");
}

/* A private mapping under the old key shows what the volume shows, and goes away. */
static void run_map(void)
{
	_cleanup_(crypt_map_freep) struct crypt_map *m = NULL;
	const struct stack_config c = make_config();
	uint64_t *expected = aligned_buffer(BLOCK), *seen = aligned_buffer(BLOCK);

	fill_volume();
	must(crypt_map_new(c.data_device, c.data_offset, c.size, &c.old_side, &m), "map");
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

/* Only "leave" takes a word. */
static const struct {
	const char *name;
	void (*run)(void);
} commands[] = {
	{"kill", run_kill},         {"measure", run_measure},
	{"refuse", run_refuse},     {"refuse-stacked", run_refuse_stacked},
	{"find", run_find},         {"map", run_map},
	{"dissolve", run_dissolve},
};

int main(int argc, char **argv)
{
	if (argc != 2 + VOLUME_ARGS)
		FATAL("usage: %s COMMAND NAME DEVICE DATA_OFFSET UUID OLD_KEY OLD_SECTOR "
		      "OLD_DIGEST NEW_KEY NEW_SECTOR NEW_DIGEST forward|backward[:BOUNDARY]",
		      argv[0]);
	log_init("vm-test-stack", LOG_DEBUG);
	(void)setvbuf(stdout, NULL, _IONBF, 0);
	volume_init(argv + 2);
	if (strncmp(argv[1], "leave:", 6) == 0) {
		run_leave(argv[1] + 6);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0) {
			commands[i].run();
			return 0;
		}
	}
	FATAL("no command %s", argv[1]);
}
