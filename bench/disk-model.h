/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * When a disk would complete its requests. The model knows no data and no clock: the caller says
 * when a request arrives, and asks which requests are done by a time. All times are nanoseconds,
 * all sizes and offsets are bytes.
 *
 *     arrived --+-- lane (reads)  --- latency ---+-- done
 *               +-- lane (writes) --- latency ---+
 *
 * A lane does one request at a time, in the order of arrival. A half-duplex disk has one lane for
 * both directions. The latency comes after the lane, and latencies overlap. A disk with a head has
 * one lane, the head, which seeks and waits for the platter first. It sorts what came within a
 * millisecond, as every hard disk and the kernel before it do. With a write-back cache a write is
 * done once it is in the cache. The head writes the cache back when it has nothing to read, when
 * the cache is nearly full, and for a flush.
 */
#pragma once

#include <stdint.h>

#include "util/cleanup.h"

/* DISK_WRITE_BACK is no request: the head empties the write-back cache. */
enum disk_op { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_WRITE_BACK };

struct disk_request {
	enum disk_op op;
	int64_t offset, size;
	int64_t arrival;
	/* The model's answer: the disk begins, the lane is free again, the caller is told. */
	int64_t start, end, done;
	struct disk_request *next; /* used by the model */
};

/* 0 switches off what a value is for, if nothing else is said. */
struct disk_parameters {
	int64_t size;
	int64_t read_rate, write_rate; /* bytes a second, not 0; a disk with a head has one rate */
	int64_t read_latency, write_latency;
	int64_t request_time; /* each request keeps its lane busy for so long, whatever its size */
	int64_t iops, iop_size; /* requests a second; a larger request counts as several */
	int64_t half_duplex;
	int64_t flush_time;
	int64_t exclusive_flush; /* a flush waits for all else, and all else waits for the flush */
	int64_t fair;            /* requests of at most 64 KiB go first */
	/* A disk with a head: */
	int64_t turn;                    /* time of a revolution; 0: no head */
	int64_t least_seek, full_seek;   /* to another track, and over the whole disk */
	int64_t disk_size;               /* of the whole disk, for distances */
	int64_t header_size, data_place; /* where what lies behind the header begins on the disk */
	int64_t cache;                   /* write-back cache */
	int64_t cache_high,
		cache_low; /* from here on it is emptied in turn with reads, down to there */
	int64_t link_rate; /* into the cache and out of it, bytes a second */
	int64_t gather;    /* what has nothing to do waits so long for more, to sort it */
};

/* Sets a parameter by its name, as it is above. -EINVAL: there is none of that name. */
int disk_parameters_set(struct disk_parameters *p, const char *name, int64_t value);

struct disk_model;

/*
 * @log, if not NULL, is called once for each request and each DISK_WRITE_BACK, when their times are
 * known. -EINVAL: the parameters make no disk.
 */
int disk_model_new(const struct disk_parameters *p,
		   void (*log)(void *arg, const struct disk_request *r), void *arg,
		   struct disk_model **ret);
struct disk_model *disk_model_free(struct disk_model *m);
DEFINE_CLEANUP(struct disk_model, disk_model_free)

/* The model keeps @r until disk_model_done() returns it. @r->arrival is no earlier than any time
 * before. */
void disk_model_submit(struct disk_model *m, struct disk_request *r);

/* The first request that is done by @now, or NULL. */
struct disk_request *disk_model_done(struct disk_model *m, int64_t now);

/* When disk_model_done() is worth another call, if nothing is submitted; INT64_MAX: never. */
int64_t disk_model_next(const struct disk_model *m);
