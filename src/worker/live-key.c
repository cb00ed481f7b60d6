/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/live-key.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/cipher.h"
#include "dm/find.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/io.h"

/* Bytes; no encryption sector and no block of a device is larger. */
#define BLOCK UINT64_C(4096)

/* One block that nobody writes between the two reads is enough. */
#define PLACES 16
#define ROUNDS 8

struct views {
	const struct work_volume *volume;
	const struct engine_side *side;
	int fd;             /* of the mapping, or of a device of its stack */
	uint8_t *live;      /* what that shows */
	uint8_t *decrypted; /* what the header's key makes of the data device */
	uint32_t size;
};

static int decrypt(const struct views *w, uint64_t offset)
{
	const struct work_volume *v = w->volume;
	int r;

	assert(!w->side->plaintext != !w->side->cipher);
	if (w->side->plaintext)
		return disk_run(w->side->plaintext, DISK_READ, offset, w->decrypted, w->size);
	r = pread_full(v->data.fd, w->decrypted, w->size, v->reenc.data_offset + offset);
	if (r < 0)
		return r;
	return cipher_decrypt(w->side->cipher, 0, offset >> SECTOR_SHIFT, w->decrypted, w->size);
}

/*
 * -ERROR_OTHER_KEY: they differ. The mapping comes first: reading it writes out what the kernel
 * caches of it.
 */
static int compare(const struct views *w, uint64_t offset)
{
	int r = pread_full(w->fd, w->live, w->size, offset);

	if (r < 0)
		return r;
	r = decrypt(w, offset);
	if (r < 0)
		return r;
	return memcmp(w->live, w->decrypted, w->size) == 0 ? 0 : -ERROR_OTHER_KEY;
}

/* A place that cannot be read says nothing while another one can. */
static int compare_all(const struct views *w, const struct stack_view *view)
{
	const uint64_t step = (view->size - w->size) / (PLACES - 1);
	int result = 0;

	assert(w->size > 0 && w->size <= view->size);
	for (unsigned i = 0; i < ROUNDS * PLACES; i++) {
		const uint64_t place = round_down_u64(step * (i % PLACES), BLOCK);
		int r = compare(w, view->start + place);

		if (r == 0)
			return 0;
		if (result != -ERROR_OTHER_KEY)
			result = r;
	}
	return result;
}

int live_key_prove(const struct work_volume *v, const struct engine_side *side,
		   const struct stack_view *view)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ void *buf = NULL;
	struct views w;
	int r;

	if (view->device == 0 || view->size == 0)
		return 0;
	fd = open_device_node(view->device, O_RDONLY | O_DIRECT);
	if (fd < 0)
		return fd;
	if (posix_memalign(&buf, BLOCK, 2 * BLOCK) != 0)
		return -ENOMEM;
	w = (struct views){
		.volume = v,
		.side = side,
		.fd = fd,
		.live = buf,
		.decrypted = (uint8_t *)buf + BLOCK,
		.size = (uint32_t)MIN(view->size, BLOCK),
	};
	r = compare_all(&w, view);
	explicit_bzero(buf, 2 * BLOCK);
	return r;
}
