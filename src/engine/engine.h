/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The re-encryption itself. It sees a disk, a header store, a freezer and a clock, and nothing
 * else: no dm, no D-Bus, no libcryptsetup. All offsets are bytes from the start of the data unless
 * they are called disk offsets.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "crypto/checksum.h"
#include "crypto/cipher.h"
#include "crypto/pool.h"
#include "engine/freezer.h"
#include "engine/header-store.h"
#include "engine/histogram.h"
#include "engine/stages.h"
#include "io/disk.h"

/*
 * Bytes of a hotzone at most, whatever is wanted. Offline there is memory for two, one of which is
 * read while the other is written, or for one of twice the size (overlap.h); with the checksums and
 * the program itself that stays below 128 MiB.
 */
#define ENGINE_HOTZONE_MAX (UINT64_C(44) << 20)

enum engine_direction { ENGINE_FORWARD, ENGINE_BACKWARD };
enum engine_resilience { ENGINE_CHECKSUM, ENGINE_JOURNAL };

/*
 * One side of the conversion. A side whose cipher OpenSSL lacks has no cipher but a disk of
 * plaintext: a private dm-crypt mapping of the whole data.
 */
struct engine_side {
	struct cipher *cipher;
	struct disk *plaintext;
};

struct engine_progress {
	struct position position; /* its hotzone is the one in work */
	uint64_t total;           /* bytes of the volume */
	uint64_t converted;       /* bytes that are converted for good */
	uint64_t unwritten;       /* of those in this run, the ones that were left as they are */
	/* How long hotzones were frozen, and what of that it took to freeze them: the device above
	 * is suspended for some of it, so that all I/O waits. */
	struct histogram frozen, freezing;
	/* Microseconds that each freeze takes whatever its size, where the stall target is out of
	 * reach because of them; 0: it is within reach. */
	uint64_t unavoidable_stall;
	uint64_t flushes; /* of the data disk; the header store counts its own */
	struct stages stages;
};

/* What may change while a run goes on; 0: no limit. */
struct engine_limits {
	uint64_t hotzone_size; /* bytes */
	uint64_t stall_target; /* how long a range may be frozen, microseconds (stall.h) */
};

struct engine_config {
	struct disk *disk;    /* raw data device */
	uint64_t disk_offset; /* where the data starts on it, bytes */
	uint64_t size;        /* bytes of data */
	enum engine_direction direction;
	enum engine_resilience resilience;
	struct engine_side old_side, new_side;
	struct checksum *checksum; /* ENGINE_CHECKSUM only */
	uint32_t block_size; /* bytes: checksum block; size and first position are multiples */
	/*
	 * Bytes, a power of two: the edge is left at multiples of it where the data allows that; 0
	 * or less than block_size is block_size.
	 */
	uint32_t position_unit;
	uint64_t hotzone_size; /* wanted, bytes; lowered to what area and memory allow */
	uint64_t alone_size;   /* the same where the next one is not read meanwhile; 0: no more */
	/*
	 * Blocks of ciphertext that are all zero stay so. Both sides' ciphers must be such that no
	 * data looks like that (cipher_tells_unwritten()).
	 */
	bool skip_unwritten;
	bool never_ahead; /* offline: the next hotzone is not read early, even if that is faster */
	bool verify;      /* read back what is durable before its protection is given up */
	struct engine_limits limits;
	struct header_store *header;
	struct freezer *freezer; /* NULL: offline */
	struct pool *pool;
	/* One lane of its own, in which the header store is called while requests and jobs go on;
	 * NULL: they stand still meanwhile. Both pools wake the disk. */
	struct pool *header_lane;
	/* Called at every hotzone boundary; true asks for a stop with a clean header. */
	bool (*stop)(void *arg);
	/*
	 * Both NULL or neither. pause_due() is called where @passed bytes are durable; true asks
	 * for a clean header and pause(). That is called before the first hotzone too, always with
	 * nothing frozen; it may take its time and touch the header, and changes the limits for
	 * the hotzones to come as it likes. @passed: bytes that are converted, but for the holes
	 * that this run did not even read.
	 */
	bool (*pause_due)(void *arg, uint64_t passed);
	int (*pause)(void *arg, uint64_t passed, struct engine_limits *limits);
	void (*progress)(void *arg, const struct engine_progress *p);
	void *callback_arg;
};

struct engine;

/*
 * Allocates and locks all memory that a run needs. -EINVAL: sizes do not suit each other or disk,
 * or checksums are wanted and there is no struct checksum.
 */
int engine_new(const struct engine_config *config, struct engine **ret);
struct engine *engine_free(struct engine *e);
DEFINE_CLEANUP(struct engine, engine_free)

enum engine_outcome {
	ENGINE_FINISHED, /* all converted and the final commit made */
	ENGINE_STOPPED,  /* asked to; clean header */
};

/*
 * Converts from the clean position @from to the end, or to a stop. On an error the header is as
 * clean as could be had: engine_position() tells; a position with a hotzone needs engine_recover().
 * The message that names device and sectors has been logged then. -EBADMSG: what was written reads
 * back otherwise. -EINVAL: the data is no multiple of the block size.
 */
int engine_run(struct engine *e, const struct position *from, enum engine_outcome *ret);

/*
 * Brings a hot position to the next clean one. Online the hotzone must be frozen already; it is
 * thawed. May be repeated after any failure. -EINVAL: the hotzone is no multiple of the block size,
 * whatever the size of the data is.
 */
int engine_recover(struct engine *e, const struct position *hot);

/*
 * The same where the devices of a dead worker show that it had let the hotzone go, so that nothing
 * of it is frozen, and all of it is done. -EINVAL: no worker lets such a hotzone go.
 */
int engine_recover_thawed(struct engine *e, const struct position *hot);

/* The position that the header has. */
struct position engine_position(const struct engine *e);
/* Is the hotzone of a hot engine_position() converted and let go, which only the header does not
 * say? */
bool engine_is_thawed(const struct engine *e);
