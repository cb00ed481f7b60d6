/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where a disk has nothing stored: the file system knows that has the image, or of a loop device,
 * or a partition of one, the file under it; of a thin volume its pool. Of any other device nobody
 * is asked.
 *
 *     disk: image file               --> itself
 *     disk: loop device, partition   --> backing file, once it is known to be that: same inode
 *     disk: thin volume              --> metadata of the pool, as they were at the last look
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct hole_finder {
	int disk_fd; /* not owned */
	int file_fd; /* of the file under the disk, -1 */
	bool looked; /* for that file */
	struct thin_look *thin;
	bool not_thin; /* or nobody says */
};

/* @disk_fd must outlive it. Nothing is opened before the first question. */
struct hole_finder hole_finder(int disk_fd);

/*
 * Looks what a thin volume has stored of @size bytes at @offset; see disk.h for what comes back.
 * The first time it opens a device by its name.
 */
bool hole_look(struct hole_finder *h, uint64_t offset, uint64_t size);

/*
 * Do @size bytes at @offset of the disk read as zeros because nothing is stored there? false: no,
 * or not known. Whoever writes to the disk must have been flushed: what waits in the page cache of
 * a loop device is not in its file yet. But for a thin volume, it opens files by their names, so
 * nothing may be frozen.
 */
bool hole_at(struct hole_finder *h, uint64_t offset, uint64_t size);

void hole_finder_done(struct hole_finder *h);
