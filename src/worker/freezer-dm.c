/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/freezer-dm.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

static struct freezer_dm *of(struct freezer *f)
{
	return (struct freezer_dm *)((char *)f - offsetof(struct freezer_dm, freezer));
}

/* Ctrl-Z has to wait: it would stop us, and with us all I/O to the range. */
static int block_stops(sigset_t *ret_before)
{
	sigset_t stops;

	(void)sigemptyset(&stops);
	(void)sigaddset(&stops, SIGTSTP);
	(void)sigaddset(&stops, SIGTTIN);
	(void)sigaddset(&stops, SIGTTOU);
	return -pthread_sigmask(SIG_BLOCK, &stops, ret_before);
}

/* What had to wait for the end of the frozen time may come. */
static void let_others(struct freezer_dm *f)
{
	if (!f->frozen)
		return;
	f->frozen = false;
	luks_store_release(f->store);
	(void)pthread_sigmask(SIG_SETMASK, &f->signals, NULL);
}

static int dm_prepare(struct freezer *freezer)
{
	struct freezer_dm *f = of(freezer);
	int r;

	assert(!f->frozen); /* one range at a time */
	r = luks_store_hold(f->store);
	if (r < 0)
		return r;
	r = block_stops(&f->signals);
	if (r < 0) {
		luks_store_release(f->store);
		return r;
	}
	f->frozen = true;
	return 0;
}

static int dm_freeze(struct freezer *freezer, uint64_t offset, uint64_t size)
{
	struct freezer_dm *f = of(freezer);
	int r;

	assert(f->frozen); /* by dm_prepare() */
	r = stack_freeze(f->stack, offset, size);
	if (r < 0)
		let_others(f);
	return r;
}

static int dm_thaw(struct freezer *freezer, const struct position *now)
{
	struct freezer_dm *f = of(freezer);
	int r = stack_thaw(f->stack, now->boundary);

	let_others(f);
	return r;
}

static int dm_fail(struct freezer *freezer)
{
	struct freezer_dm *f = of(freezer);
	int r = stack_fail(f->stack);

	let_others(f);
	return r;
}

void freezer_dm_init(struct freezer_dm *f, struct stack *stack, struct luks_store *store)
{
	static const struct freezer_ops ops = {
		.prepare = dm_prepare,
		.freeze = dm_freeze,
		.thaw = dm_thaw,
		.fail = dm_fail,
	};

	*f = (struct freezer_dm){.freezer = {.ops = &ops}, .stack = stack, .store = store};
}
