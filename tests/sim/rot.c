/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sectors that cannot be read any more, or not as they were written. A rotten sector is one with a
 * content of its own, so that it stays rotten in each copy of the medium until it is written.
 */
#include <errno.h>
#include <string.h>

#include "medium-internal.h"
#include "util/checked.h"

static const char rotten[16] = "rotten, rotten!";

void image_rot(uint8_t *image, uint64_t offset, size_t size)
{
	for (uint64_t at = offset; at < offset + size; at += sizeof(rotten))
		memcpy(image + at, rotten, sizeof(rotten));
}

void medium_rot(struct medium *m, uint64_t offset, size_t size)
{
	uint8_t data[4096];

	image_rot(data, 0, sizeof(data));
	for (size_t done = 0; done < size; done += MIN(size - done, sizeof(data))) {
		const unsigned index =
			medium_submit_write(m, offset + done, data, MIN(size - done, sizeof(data)));

		m->writes[index].rot = true;
		medium_complete_write(m, index);
	}
}

void medium_rot_is_error(struct medium *m, bool error)
{
	m->rot_is_error = error;
}

void medium_rot_at(struct medium *m, unsigned event, uint64_t offset, size_t size)
{
	m->rot.event = event;
	m->rot.offset = offset;
	m->rot.size = size;
}

void medium_let_rot(struct medium *m)
{
	if (m->rot.event == NEVER || m->n_events < m->rot.event)
		return;
	m->rot.event = NEVER;
	medium_rot(m, m->rot.offset, m->rot.size);
}

int medium_check_rot(const struct medium *m, uint64_t offset, size_t size)
{
	for (uint64_t at = offset; m->rot_is_error && at < offset + size; at += SECTOR_SIZE)
		if (memcmp(m->content + at, rotten, sizeof(rotten)) == 0)
			return -EIO;
	return 0;
}
