/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the engine share with each other. */
#pragma once

#include "engine/batch.h"
#include "engine/engine.h"
#include "engine/overlap.h"
#include "engine/plan.h"
#include "pace/stall.h"
#include "util/log.h"

/* What the header store is asked for (lane.c). */
struct header_call {
	enum {
		HEADER_HOLD,
		HEADER_PROTECT,
		HEADER_PROTECT_AHEAD,
		HEADER_COMMIT,
		HEADER_RELEASE,
	} what;
	const void *data; /* to protect: what, and how many bytes of it */
	size_t size;
	uint64_t offset; /* HEADER_PROTECT_AHEAD: where, bytes from the start of the area */
	struct position position; /* HEADER_COMMIT */
	bool both_copies;         /* are to be durable */
	bool copy_later;          /* the secondary is left to HEADER_RELEASE */
	bool in_lane;
	struct pool_job job;
	struct log_capture captured;
};

/* Of the checksums of the next hotzone (ahead.c). */
enum ahead_state {
	AHEAD_NONE,
	AHEAD_LOOKING, /* the header is looked at, and held */
	AHEAD_WRITING,
	AHEAD_WRITTEN, /* and durable once the data is */
};

struct ahead {
	enum ahead_state state;
	struct position hot; /* what the header is to say then; from AHEAD_WRITING on */
};

struct engine {
	struct engine_config config;
	/* The second one only offline. Where it is not used, the first one has the memory of both.
	 */
	struct batch batch[2];
	struct overlap overlap;
	struct batch_queue queue;
	struct header_call call;
	bool calling;  /* @call has started and has not been waited for */
	bool copy_due; /* of the last commit; the lane's while @calling */
	/* What the header says, but for @thawed; hot also where it only may be. */
	struct position position;
	/* Ends at @position: durable and let go, but still hot in the header. Size 0: none. */
	struct hotzone thawed;
	/* Forward: bytes that a hot position begins with and that are converted for good. */
	uint64_t durable;
	struct ahead ahead;
	struct engine_progress progress;
	uint64_t hotzone_max; /* bytes */
	uint64_t jumped;      /* bytes of holes that were not read */
	bool looks;           /* online: the disk can say what is stored, while it is frozen */
	uint64_t no_pass;     /* bytes: online no hole is passed before so much is converted */
	uint64_t limit;       /* hotzone size at present: small near read errors */
	struct engine_limits limits;
	struct stall stall;
	struct stall stall_unwritten; /* of hotzones with nothing to do */
	struct stall_sample sample;   /* of the hotzone that is frozen, or was last */
	struct stall *sampled;        /* the one that it says something about, or NULL */
	bool after_unwritten;         /* the last hotzone ended with an unwritten block */
	bool told_out_of_reach, told_within_reach; /* reach.c: what the log has */
	uint64_t frozen_since;
	bool read_failed; /* all that failed is reading a hotzone: clean header, nothing frozen */
	bool uncertain;   /* the last commit failed, and the header may have its position */
	bool finished;    /* the final commit is made */
	uint8_t unwritten_digest[CHECKSUM_MAX];
	uint8_t *recovery_digests; /* of one chunk: stored, then present */
	size_t recovery_digests_size;
	void *memory;
	size_t memory_size;
};

/* A side that only the kernel can convert? Its data goes through a mapping, in order. */
static inline bool engine_has_plaintext_side(const struct engine_config *cfg)
{
	return cfg->old_side.plaintext || cfg->new_side.plaintext;
}

/* The next hotzone on from @boundary, offline from behind the hole that is there. */
struct hotzone next_hotzone(const struct engine *e, uint64_t boundary);
/*
 * The same from the position on, with nothing under way. Online it is longer where a look ahead
 * finds nothing written, and so next to nothing to be done.
 */
struct hotzone next_first_hotzone(struct engine *e);
/* Notes what the hotzone in @b, which is loaded, says of how long others will take. */
void next_note_loaded(struct engine *e, const struct batch *b);
/* The hotzone that was thawed last says how large the next one of its kind may be. */
void next_heed_stall(struct engine *e);

/* Calls the header store; none may be under way. What @call points to stays until lane_finish(). */
void lane_start(struct engine *e, const struct header_call *call);
/*
 * Waits for the call that is under way, while the batches go on: its result, 0 where there is none.
 * Whatever fails, the call has ended when this returns.
 */
int lane_finish(struct engine *e);
/* Waits for the call that is under way, whose failure is this one's, too, and makes another. */
int lane_call(struct engine *e, const struct header_call *call);

/* Waits until nothing of @b is under way. */
int engine_drain(struct engine *e, struct batch *b);

/* Waits until @b is read, and its checksums are computed. Logs nothing. */
int engine_wait_loaded(struct engine *e, struct batch *b);

/*
 * On success the new data of the hotzone in @b is durable, and perhaps the checksums of @next
 * (or NULL), too. Logs failures.
 */
int engine_store(struct engine *e, struct batch *b, struct batch *next);

/*
 * The checksums of the hotzone in @next (NULL: there is none) are written while the one in @b is,
 * and one flush makes these checksums and the data of @b durable. ahead_step() starts each part of
 * that as soon as it can. ahead_finish() waits for the end; call it when all of @b is written. Call
 * ahead_forget() before @b is written, and before it is written again after a failed flush.
 */
void ahead_forget(struct engine *e);
void ahead_step(struct engine *e, const struct batch *b, const struct batch *next);
void ahead_finish(struct engine *e, struct batch *next);
/*
 * True: the checksums of the hotzone in @b are durable, and *ret_hot is the position to commit. It
 * is asked once, after the flush.
 */
bool ahead_take(struct engine *e, const struct batch *b, struct position *ret_hot);

/* Online: I/O to @z waits from here on, and so do messages. Logs failures. */
int engine_freeze(struct engine *e, const struct hotzone *z);
/* Lets it go, to where the header says the data is. Logs failures. */
int engine_thaw(struct engine *e);
int engine_give_up(struct engine *e, int error);
/* What a freeze has shown of the stall target: for the progress and the log. */
void engine_tell_reach(struct engine *e);
/* Steps 6 and 7: @z is durable, or there was nothing to do in it. Logs failures. */
int engine_end(struct engine *e, const struct hotzone *z);
int engine_commit(struct engine *e, const struct position *p);
/* Step 7 without step 6 (thawed.c). Logs failures: @z is frozen and hot then. */
int engine_thaw_hot(struct engine *e, const struct hotzone *z);
/* Commits that what is thawed is done, if there is such. Logs failures: it stays hot then. */
int engine_say_done(struct engine *e);
/* The same where a run ends with @error, which is returned unless it is 0. */
int engine_end_thawed(struct engine *e, int error);
/* Writes @data (header-store.h) to the resilience area. Logs nothing. */
int engine_protect(struct engine *e, const void *data, size_t size);
/* Somebody else moved the header on. Returns @error. */
int engine_log_foreign(const struct engine *e, int error);
int engine_flush(struct engine *e);
/*
 * The same, and offline the lock of the header is taken meanwhile and the header looked at, but
 * where that would have to wait for reads.
 */
int engine_flush_and_look(struct engine *e);
/* Starts to let others have the header. */
void engine_release(struct engine *e);
/* Counts what @stage took, which started at @begin (now_usec()). */
void engine_count(struct engine *e, enum stage stage, uint64_t begin);
void engine_log_io(const struct engine *e, int error, const char *what, uint64_t offset,
		   uint64_t size);

/*
 * Before anything is read: makes the header durable, and offline, where the header could outlive
 * it, the data that other programs left in the cache. Offline that is enough for the whole run, as
 * nobody else can write; online any hotzone may have been written to since. Logs failures.
 */
int unflushed_before_run(struct engine *e);
int unflushed_before_recovery(struct engine *e, const struct hotzone *z);
/*
 * Online: what was in the cache of a range that is frozen and read is durable once
 * unflushed_finish() returns 0. Before that no commit may depend on it; the area may be written
 * meanwhile. Whatever fails, a flush that unflushed_start() began must be finished. Logs nothing.
 */
int unflushed_start(struct engine *e);
int unflushed_finish(struct engine *e);

/* Must the commit of @p be durable in both copies before anything else is done? */
bool unflushed_needs_both_copies(const struct engine *e, const struct position *p);

/* Does the run ask the disk where it holds nothing? */
bool skip_asks_for_holes(const struct engine *e);
/*
 * Looks for the first time: offline what is a hole stays one, as unflushed_before_run() has come
 * before and nobody else writes; online it is a hint.
 */
void skip_begin(struct engine *e);
/* Brings up to date what the disk says of holes in @z. False: nothing new is known of it. */
bool skip_look(const struct engine *e, const struct hotzone *z);
/*
 * Where the hole that begins at @boundary ends, @boundary where none is known: offline it needs
 * neither protection nor a commit of its own. As much of it as can be had with few questions: in
 * steps that double, and halve again.
 */
uint64_t skip_hole_at(const struct engine *e, uint64_t boundary);
/* The hole on from the position, on a disk that can be looked at online, or of size 0. */
struct hotzone skip_hole_to_pass(struct engine *e);
/*
 * Online: brings the position to the other side of @hole, with nothing read, if that still is one
 * once nobody can write there; otherwise nothing is changed. Logs failures.
 */
int skip_pass(struct engine *e, const struct hotzone *hole);
/* Leaves out of @z the hole that it ends in, so that the next hotzone begins behind that. */
void skip_cut_at_hole(const struct engine *e, struct hotzone *z);
/*
 * How many bytes of @z seem to be unwritten from the boundary on: a hint, since others may write.
 * Nothing may be under way.
 */
uint64_t skip_look_ahead(struct engine *e, const struct hotzone *z);

/*
 * Compares @size bytes at @offset, a chunk at most, with what engine_convert_now() left in @data:
 * all is flushed, nothing under way. -EBADMSG: they differ. @ret_error_offset: after an error, of
 * the first block that differs or of what cannot be read.
 */
int engine_verify_now(struct engine *e, uint64_t offset, const uint8_t *data, uint32_t size,
		      uint64_t *ret_error_offset);
/* What the disk has of the hotzone that @offset is in is not what was written. Returns @error. */
int engine_log_differs(const struct engine *e, int error, uint64_t offset);

/*
 * Converts @size bytes at @offset, whose old ciphertext is in @data, and writes them, all on this
 * thread and with nothing else in flight.
 */
int engine_convert_now(struct engine *e, uint64_t offset, void *data, uint32_t size);

/* One hotzone at a time: the next range is not frozen yet, or its data goes through a mapping. */
bool engine_is_single(const struct engine *e);

/* From the end of one hotzone to that of the next, microseconds: see struct overlap_sample. */
struct cycle {
	uint64_t begin, load, data;
};
/* A trial only where it makes a difference, and where the times that are measured mean something.
 */
void cycle_begin_run(struct engine *e, uint64_t boundary);
struct cycle cycle_begin(const struct engine *e);
/* A hotzone of @size bytes is durable; the next cycle begins. */
void cycle_end(struct engine *e, uint64_t size, struct cycle *c);
