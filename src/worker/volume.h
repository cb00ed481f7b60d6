/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The volume that a job is about: its devices, its header, and whether it is active. Everything
 * that can be wrong with it before anything is written is found and said here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "io/device.h"
#include "io/in-use.h"
#include "luks/header.h"
#include "luks/lock.h"
#include "luks/place.h"
#include "luks/reencrypt.h"
#include "worker/work-options.h"

struct work_volume {
	const struct work_options *options;
	struct luks_place place;
	const char *data_path;   /* of @place: for messages */
	const char *header_path; /* the same without a detached header */
	char *arguments;         /* for hints: how a command names it, "[--header PATH] DEVICE" */
	char *name;              /* dm name of the active mapping; NULL: offline */
	uint64_t active_size;    /* bytes of the active mapping */
	bool grown;   /* in re-encryption, and the device has more data than the mapping shows */
	bool stacked; /* helpers of a worker that died are there, and I/O may wait in them */
	struct device data;   /* open once volume_open() succeeded */
	struct meta_io *meta; /* over its own descriptor */
	int meta_fd;          /* of @meta, which owns it */
	bool header_on_data;  /* header and data are on the same disk */
	struct luks_header *header;
	struct luks_reenc reenc;
	int exclusive_fd;         /* offline: keeps others from claiming the block device */
	struct loop_claims loops; /* over data or header */
	struct luks_lock *lock;   /* the re-encryption lock, once volume_take_lock() took it */
};

#define VOLUME_NONE                                                                                \
	{                                                                                          \
		.place = LUKS_PLACE_NONE, .data.fd = -1, .meta_fd = -1, .exclusive_fd = -1         \
	}

/*
 * Finds the devices and reads the header, without a lock that lasts. Logs what is wrong. The errno
 * says which exit code is right.
 */
int volume_open(const struct work_options *o, struct work_volume *ret);
void volume_close(struct work_volume *v);

/* Is nobody else at it, and could it be had exclusively offline? Only a look; logs -EBUSY. */
int volume_check_idle(struct work_volume *v);

/*
 * Takes the re-encryption lock for good, and reloads: from here on the header only changes by us.
 * Offline the data device is opened exclusively.
 */
int volume_take_lock(struct work_volume *v);

/*
 * Wipes what ended re-encryptions freed: @freed, and what the header has noted (luks/freed.h) since
 * runs were killed before they came to it. Nothing is done where the header is in re-encryption.
 * Claims the device of a closed volume, and reads the header again. Logs failures, after which the
 * note stays.
 */
int volume_wipe_freed(struct work_volume *v, const struct luks_areas *freed);

/*
 * For a volume that has grown: only its hotzone can be recovered, or all be taken back. Logs why;
 * -EINVAL.
 */
int volume_refuse_grown(const struct work_volume *v);

/* The number of the device with the data; 0: an image file. */
static inline dev_t volume_data_device(const struct work_volume *v)
{
	return file_block_device(&v->place.data.identity);
}

/*
 * Reads the header again and understands it, under the locks that we have. With that of the
 * re-encryption a bad copy is repaired.
 */
int volume_reload(struct work_volume *v);

/*
 * For a commit of the locked volume, besides those of conversion_run(): the metadata lock, and a
 * header that is still the one that we know (-ERROR_HEADER_CHANGED); and the commit, durable on
 * return.
 */
int volume_lock_header(const struct work_volume *v, struct luks_lock **ret);
int volume_commit_header(const struct work_volume *v, struct luks_reason *why);

/* Sets v->reenc from v->header. Logs what is wrong. */
int volume_understand(struct work_volume *v);

/*
 * Bytes, a power of two: where the boundary should be left, where the data allows that. cryptsetup
 * takes an image file for a disk with sectors of 4096 bytes, and its checksums then cover all that
 * is left.
 */
uint32_t volume_position_unit(const struct work_volume *v);
