/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/disk.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

int disk_run(struct disk *d, enum disk_op op, uint64_t offset, void *buf, uint32_t size)
{
	struct disk_request rq = {.op = op, .offset = offset, .buf = buf, .size = size}, *done;
	bool woken = false;
	int r = d->ops->submit(d, &rq);

	if (r < 0)
		return r;
	do {
		r = d->ops->wait(d, &done);
		if (r < 0)
			return r;
		woken |= !done;
	} while (!done);
	assert(done == &rq);
	/* A wake-up is meant for the wait of the caller's loop: it is handed on. */
	if (woken)
		d->ops->wake(d);
	return rq.result;
}

struct disk *disk_free(struct disk *d)
{
	return d ? d->ops->free(d) : NULL;
}
