/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "measure" prints how long a range is frozen, on a volume at rest and under load. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dm/vm-test-stack.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/io.h"

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
	if (count == 0)
		FATAL("%s: not one cycle of freeze and thaw", load);
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

void run_measure(void)
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
