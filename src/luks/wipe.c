/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/wipe.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "luks/fields.h"
#include "util/checked.h"
#include "util/cleanup.h"

/* Each step waits for the disk, so they are large where there is memory. */
#define STEP_MAX (UINT64_C(4) << 20)
#define STEP_MIN (UINT64_C(64) << 10)

int luks_wipe_area(struct meta_io *io, uint64_t offset, uint64_t size)
{
	_cleanup_free_ uint8_t *buf = NULL;
	uint64_t step = STEP_MAX;
	int r;

	if (!range_inside(offset, size, io->size))
		return -EINVAL;
	while (!(buf = aligned_alloc(4096, step)) && step > STEP_MIN)
		step /= 2;
	if (!buf)
		return -ENOMEM;

	while (size > 0) {
		const size_t n = (size_t)MIN(size, step);

		if (RAND_bytes(buf, (int)n) != 1)
			return -EIO;
		r = meta_io_write(io, offset, buf, n);
		if (r < 0)
			return r;
		offset += n;
		size -= n;
	}
	return meta_io_flush(io);
}

bool luks_next_used(const struct luks_header *h, uint64_t offset, uint64_t *ret_start,
		    uint64_t *ret_end)
{
	json_object *keyslots = field_get(h->json, "keyslots", json_type_object);
	bool found = false;

	json_object_object_foreach (keyslots, key, keyslot) {
		json_object *area = field_get(keyslot, "area", json_type_object);
		uint64_t start, size, end;

		(void)key;
		if (field_u64(area, "offset", &start) < 0 || field_u64(area, "size", &size) < 0 ||
		    add_u64(start, size, &end) < 0) {
			start = offset;
			end = UINT64_MAX;
		}
		if (end <= offset || (found && start >= *ret_start))
			continue;
		*ret_start = start;
		*ret_end = end;
		found = true;
	}
	return found;
}
