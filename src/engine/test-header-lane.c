/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The header store in a lane of its own: requests go on while it is at work, and the engine never
 * returns, not with a broken disk either, before the call has ended, whose memory is the caller's.
 * The header is held for all of a hotzone, and let go after it. It is held before checksums are
 * written ahead. Its secondary copy is written while data is, or before, and always before the
 * flush of the data.
 */
#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "engine/engine.h"
#include "util/checked.h"
#include "util/log.h"
#include "util/secret.h"

#define SIZE  (UINT64_C(2) << 20)
#define BLOCK 4096U
/* What each byte is that is read. */
#define OLD_DATA 'x'

/* A disk whose requests are done at once; it breaks when the header store is first at work. */
struct fake {
	struct disk disk;
	struct header_store header;
	sem_t at_work, woken;
	struct disk_request *done;
	bool healthy, broken;
	atomic_bool ended, held;
	atomic_uint holds, ahead;
	/* Of the secondary copy: one is due, so many were written, each once data is. */
	atomic_bool copy_due, copy_missed;
	atomic_uint copies;
	bool copy_waits, copy_is_slow, written_before_copy;
	sem_t data_written;
	struct freezer freezer;
	bool writes_fail, is_journal;
};

static struct fake fake;

static int fake_submit(struct disk *d, struct disk_request *rq)
{
	(void)d;
	if (fake.done)
		return -EBUSY;
	if (rq->op == DISK_READ)
		memset(rq->buf, OLD_DATA, rq->size);
	if (rq->op == DISK_WRITE) {
		fake.written_before_copy |= atomic_load(&fake.copy_due);
		(void)sem_post(&fake.data_written);
	}
	if (rq->op == DISK_FLUSH)
		assert_false(atomic_load(&fake.copy_due));
	rq->result = rq->op == DISK_WRITE && fake.writes_fail ? -EIO : 0;
	fake.done = rq;
	return 0;
}

static int fake_wait(struct disk *d, struct disk_request **ret)
{
	(void)d;
	*ret = fake.done;
	fake.done = NULL;
	if (*ret)
		return 0;
	if (fake.healthy) {
		assert_int_equal(sem_wait(&fake.woken), 0);
		return 0;
	}
	if (!fake.broken)
		assert_int_equal(sem_wait(&fake.at_work), 0);
	fake.broken = true;
	return -ENODEV;
}

static void fake_wake(void *arg)
{
	(void)arg;
	(void)sem_post(&fake.woken);
}

static void disk_woken(struct disk *d)
{
	fake_wake(d);
}

/* Long enough for an engine that does not wait for the end to be back before. */
static int slow_protect(struct header_store *s, const void *data, size_t size)
{
	const struct timespec pause = {.tv_nsec = 200000000L};

	(void)s;
	(void)data;
	(void)size;
	(void)sem_post(&fake.at_work);
	(void)nanosleep(&pause, NULL);
	atomic_store(&fake.ended, true);
	return 0;
}

static int no_commit(struct header_store *s, const struct position *p)
{
	(void)s;
	(void)p;
	fail_msg("a header is committed though the disk is gone");
	return 0;
}

static int no_flush(struct header_store *s)
{
	(void)s;
	return 0;
}

static int count_hold(struct header_store *s)
{
	(void)s;
	if (!atomic_exchange(&fake.held, true))
		atomic_fetch_add(&fake.holds, 1);
	return 0;
}

static void let_go(struct header_store *s)
{
	(void)s;
	atomic_store(&fake.held, false);
	if (atomic_load(&fake.copy_due))
		atomic_store(&fake.copy_missed, true);
}

/* It looks late, so that a change of the data meanwhile is seen. */
static bool is_old(const uint8_t *data, size_t size)
{
	const struct timespec pause = {.tv_nsec = 100000000L};

	(void)nanosleep(&pause, NULL);
	for (size_t i = 0; i < size; i++)
		if (data[i] != OLD_DATA)
			return false;
	return true;
}

static int protect_held(struct header_store *s, const void *data, size_t size)
{
	(void)s;
	if (fake.is_journal && !is_old(data, size))
		return -EBADMSG;
	return atomic_load(&fake.held) ? 0 : -ENOLCK;
}

static int protect_ahead_held(struct header_store *s, uint64_t offset, const void *data,
			      size_t size)
{
	(void)s;
	(void)data;
	assert_true(is_aligned(offset, BLOCK) && range_inside(offset, size, SIZE));
	atomic_fetch_add(&fake.ahead, 1);
	return atomic_load(&fake.held) ? 0 : -ENOLCK;
}

/* These run in the lane, so they return what they find. */
static int commit_held(struct header_store *s, const struct position *p)
{
	(void)s;
	(void)p;
	if (atomic_exchange(&fake.copy_due, true))
		return -EPROTO;
	return atomic_load(&fake.held) ? 0 : -ENOLCK;
}

static int copy_held(struct header_store *s)
{
	struct timespec limit;

	(void)s;
	if (clock_gettime(CLOCK_REALTIME, &limit) < 0 || !atomic_load(&fake.copy_due))
		return -EPROTO;
	limit.tv_sec += 10;
	if (fake.copy_waits && sem_timedwait(&fake.data_written, &limit) < 0)
		return -ETIMEDOUT;
	if (fake.copy_is_slow)
		(void)nanosleep(&(struct timespec){.tv_nsec = 200000000L}, NULL);
	atomic_fetch_add(&fake.copies, 1);
	atomic_store(&fake.copy_due, false);
	return atomic_load(&fake.held) ? 0 : -ENOLCK;
}

static void nothing_flushed(struct header_store *s)
{
	(void)s;
}

static const struct header_store_ops slow_ops = {
	.protect = slow_protect, .commit = no_commit, .flush = no_flush};
static const struct header_store_ops held_ops = {
	.hold = count_hold,
	.release = let_go,
	.protect = protect_held,
	.protect_ahead = protect_ahead_held,
	.commit = commit_held,
	.copy = copy_held,
	.flush = no_flush,
	.data_flushed = nothing_flushed,
	.data_flush_failed = nothing_flushed,
	.finish = no_flush,
};

static void set_up_fake(const struct header_store_ops *header_ops)
{
	static const struct disk_ops disk_ops = {
		.submit = fake_submit, .wait = fake_wait, .wake = disk_woken};

	fake.disk = (struct disk){
		.ops = &disk_ops,
		.name = "fake",
		.size = SIZE,
		.block_size = BLOCK,
		.transfer_size = (uint32_t)SIZE,
		.depth = 1,
	};
	fake.header =
		(struct header_store){.ops = header_ops, .area_size = SIZE, .on_data_disk = true};
	assert_int_equal(sem_init(&fake.at_work, 0, 0), 0);
	assert_int_equal(sem_init(&fake.woken, 0, 0), 0);
	assert_int_equal(sem_init(&fake.data_written, 0, 0), 0);
	fake.copy_waits = fake.copy_is_slow = fake.writes_fail = fake.written_before_copy = false;
	fake.is_journal = false;
	atomic_store(&fake.copy_due, false);
	atomic_store(&fake.copy_missed, false);
	atomic_store(&fake.copies, 0);
}

struct parts {
	struct secret *key;
	struct checksum *checksum;
	struct cipher *cipher, *new_cipher;
	struct pool *pool, *lane;
	struct engine_config config;
};

static void make_parts(struct parts *p)
{
	assert_int_equal(secret_new(64, &p->key), 0);
	for (size_t i = 0; i < p->key->size; i++)
		p->key->data[i] = (uint8_t)i;
	assert_int_equal(cipher_new("aes-xts-plain64", p->key, BLOCK, 1, &p->cipher), 0);
	p->key->data[0] = 0xff;
	assert_int_equal(cipher_new("aes-xts-plain64", p->key, BLOCK, 1, &p->new_cipher), 0);
	assert_int_equal(checksum_new("sha256", 1, &p->checksum), 0);
	assert_int_equal(pool_new("crypto", 0, 0, fake_wake, NULL, &p->pool), 0);
	assert_int_equal(pool_new("header", 1, 0, fake_wake, NULL, &p->lane), 0);
	p->config = (struct engine_config){
		.disk = &fake.disk,
		.size = SIZE,
		.resilience = ENGINE_CHECKSUM,
		.old_side.cipher = p->cipher,
		.new_side.cipher = p->new_cipher,
		.checksum = p->checksum,
		.block_size = BLOCK,
		.hotzone_size = SIZE,
		.header = &fake.header,
		.pool = p->pool,
		.header_lane = p->lane,
	};
}

static void free_parts(struct parts *p)
{
	pool_free(p->lane);
	pool_free(p->pool);
	cipher_free(p->cipher);
	cipher_free(p->new_cipher);
	checksum_free(p->checksum);
	secret_free(p->key);
}

static void run_to_the_end(const struct parts *p)
{
	enum engine_outcome outcome;
	struct engine *e;

	assert_int_equal(engine_new(&p->config, &e), 0);
	assert_int_equal(engine_run(e, &(struct position){}, &outcome), 0);
	assert_int_equal(outcome, ENGINE_FINISHED);
	engine_free(e);
}

static void a_broken_disk_does_not_leave_a_call_behind(void **state)
{
	struct engine *e;
	enum engine_outcome outcome;
	struct parts p;

	(void)state;
	set_up_fake(&slow_ops);
	make_parts(&p);
	/* What could not be computed is refused. */
	p.config.checksum = NULL;
	assert_int_equal(engine_new(&p.config, &e), -EINVAL);
	p.config.checksum = p.checksum;
	assert_int_equal(engine_new(&p.config, &e), 0);
	assert_int_equal(engine_run(e, &(struct position){}, &outcome), -ENODEV);
	assert_true(atomic_load(&fake.ended));
	/* By the lane, once the call had ended, and by each job of the other pool. */
	assert_int_equal(sem_trywait(&fake.woken), 0);
	engine_free(e);
	free_parts(&p);
}

/* Also by turns, where it is held only once the range has been read. */
static void the_header_is_held_once_a_hotzone(void **state)
{
	struct parts p;

	(void)state;
	set_up_fake(&held_ops);
	make_parts(&p);
	p.config.hotzone_size = SIZE / 4;
	fake.healthy = true;
	for (int by_turns = 0; by_turns < 2; by_turns++) {
		p.config.never_ahead = by_turns == 1;
		atomic_store(&fake.holds, 0);
		run_to_the_end(&p);
		/* The last flush looks, too, for the final commit. */
		assert_in_range(atomic_load(&fake.holds), 4, 5);
		assert_false(atomic_load(&fake.held));
		assert_false(atomic_load(&fake.copy_missed));
	}
	free_parts(&p);
}

/* How often depends on whether the next hotzone is read in time. */
static bool writes_ahead(struct parts *p, uint64_t hotzone_size)
{
	p->config.hotzone_size = hotzone_size;
	atomic_store(&fake.ahead, 0);
	run_to_the_end(p);
	return atomic_load(&fake.ahead) > 0;
}

/* 128 blocks have checksums of 4096 bytes. Those of fewer share a block of the area with others. */
static void no_block_of_the_area_is_shared(void **state)
{
	struct parts p;

	(void)state;
	set_up_fake(&held_ops);
	make_parts(&p);
	fake.healthy = true;
	assert_true(writes_ahead(&p, SIZE / 4));
	assert_false(writes_ahead(&p, SIZE / 8));
	free_parts(&p);
}

/* Converting goes on beside the commit, but not before the journal has the old data. */
static void the_journal_gets_the_old_data(void **state)
{
	struct parts p;

	(void)state;
	set_up_fake(&held_ops);
	make_parts(&p);
	fake.healthy = fake.is_journal = true;
	p.config.resilience = ENGINE_JOURNAL;
	run_to_the_end(&p);
	free_parts(&p);
}

/* One hotzone: its data is on the way when the copy is written, or nobody would end the wait. */
static void the_secondary_is_written_beside_the_data(void **state)
{
	struct parts p;

	(void)state;
	set_up_fake(&held_ops);
	make_parts(&p);
	fake.healthy = fake.copy_waits = true;
	run_to_the_end(&p);
	assert_int_equal(atomic_load(&fake.copies), 1);
	free_parts(&p);
}

/* A disk with a head would have to come back for it. */
static void by_turns_the_secondary_comes_before_the_data(void **state)
{
	struct parts p;

	(void)state;
	set_up_fake(&held_ops);
	make_parts(&p);
	fake.healthy = fake.copy_is_slow = p.config.never_ahead = true;
	run_to_the_end(&p);
	assert_int_equal(atomic_load(&fake.copies), 1);
	assert_false(fake.written_before_copy);
	free_parts(&p);
}

static int take_lock(struct freezer *f)
{
	(void)f;
	return count_hold(&fake.header);
}

static int freeze_nothing(struct freezer *f, uint64_t offset, uint64_t size)
{
	(void)f;
	(void)offset;
	(void)size;
	return 0;
}

static int thaw_and_let_go(struct freezer *f, const struct position *now)
{
	(void)f;
	(void)now;
	let_go(&fake.header);
	return 0;
}

static int fail_and_let_go(struct freezer *f)
{
	(void)f;
	let_go(&fake.header);
	return 0;
}

/* Online the lock goes with the range, also where writes fail while the copy is on its way. */
static void the_lock_is_kept_until_the_copy_is_written(void **state)
{
	static const struct freezer_ops freezer_ops = {.prepare = take_lock,
						       .freeze = freeze_nothing,
						       .thaw = thaw_and_let_go,
						       .fail = fail_and_let_go};
	enum engine_outcome outcome;
	struct engine *e;
	struct parts p;

	(void)state;
	set_up_fake(&held_ops);
	make_parts(&p);
	fake.freezer = (struct freezer){.ops = &freezer_ops};
	fake.healthy = fake.copy_waits = fake.copy_is_slow = fake.writes_fail = true;
	p.config.freezer = &fake.freezer;
	assert_int_equal(engine_new(&p.config, &e), 0);
	assert_int_equal(engine_run(e, &(struct position){}, &outcome), -EIO);
	assert_int_equal(atomic_load(&fake.copies), 1);
	assert_false(atomic_load(&fake.copy_missed));
	engine_free(e);
	free_parts(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_broken_disk_does_not_leave_a_call_behind),
		cmocka_unit_test(the_header_is_held_once_a_hotzone),
		cmocka_unit_test(no_block_of_the_area_is_shared),
		cmocka_unit_test(the_journal_gets_the_old_data),
		cmocka_unit_test(the_secondary_is_written_beside_the_data),
		cmocka_unit_test(by_turns_the_secondary_comes_before_the_data),
		cmocka_unit_test(the_lock_is_kept_until_the_copy_is_written),
	};

	log_init("test", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
