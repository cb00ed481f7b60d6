/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The JSON grows with the first hotzone: it must have room for that before anything begins. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "luks/json-text.h"
#include "luks/reencrypt-layout.h"
#include "luks/reencrypt.h"
#include "util/checked.h"

/* Three segments, with numbers as long as they get: a hotzone of one block, one before the last. */
static int set_longest_position(struct luks_header *h, struct luks_reenc *r)
{
	const uint64_t blocks = r->data_size / r->block_size;
	const uint64_t before = blocks < 3 ? 0 : (blocks - 2) * r->block_size;
	const uint64_t hot = MIN(r->data_size, (uint64_t)r->block_size);

	if (r->direction == LUKS_FORWARD)
		return luks_reenc_set_position(h, r, before, hot);
	return luks_reenc_set_position(h, r, blocks < 3 ? r->data_size : before + hot, hot);
}

/* As a commit writes it: a NUL must follow. */
static int measure(json_object *json, uint64_t area, uint64_t *ret_used)
{
	const size_t size = (size_t)area * 2;
	_cleanup_free_ char *text = malloc(size);
	size_t used;
	int r;

	if (!text)
		return -ENOMEM;
	r = json_text_write(json, text, size, &used);
	if (r < 0)
		return r;
	*ret_used = used + 1;
	return *ret_used > area ? -ENOSPC : 0;
}

static int measure_longest(struct luks_header *h, const struct luks_reenc *r, uint64_t area,
			   uint64_t *ret_used)
{
	struct luks_reenc position = *r;
	int error = set_longest_position(h, &position);

	return error < 0 ? error : measure(h->json, area, ret_used);
}

int luks_reenc_check_room(const struct luks_header *h, const struct luks_reenc *r,
			  uint64_t *ret_used, uint64_t *ret_size)
{
	struct luks_header longest = *h; /* all but the JSON stays that of @h */
	int error;

	assert(h->size > LUKS_HEADER_BINARY_SIZE);
	*ret_size = h->size - LUKS_HEADER_BINARY_SIZE;
	*ret_used = *ret_size;
	longest.json = header_copy_json(h);
	if (!longest.json)
		return -ENOMEM;
	error = measure_longest(&longest, r, *ret_size, ret_used);
	json_object_put(longest.json);
	return error;
}
