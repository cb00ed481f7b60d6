/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The header store in a lane of its own: requests go on while it is at work, and the engine never
 * returns, not with a broken disk either, before the call has ended, whose memory is the caller's.
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

#define SIZE  (UINT64_C(64) << 10)
#define BLOCK 4096U

/* A disk whose requests are done at once; it breaks when the header store is first at work. */
struct fake {
	struct disk disk;
	struct header_store header;
	sem_t at_work, woken;
	struct disk_request *done;
	bool broken;
	atomic_bool ended;
};

static struct fake fake;

static int fake_submit(struct disk *d, struct disk_request *rq)
{
	(void)d;
	if (fake.done)
		return -EBUSY;
	if (rq->op == DISK_READ)
		memset(rq->buf, 'x', rq->size);
	rq->result = 0;
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
	const struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};

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

static void set_up_fake(void)
{
	static const struct disk_ops disk_ops = {
		.submit = fake_submit, .wait = fake_wait, .wake = disk_woken};
	static const struct header_store_ops header_ops = {
		.protect = slow_protect, .commit = no_commit, .flush = no_flush};

	fake.disk = (struct disk){
		.ops = &disk_ops,
		.name = "fake",
		.size = SIZE,
		.block_size = BLOCK,
		.transfer_size = (uint32_t)SIZE,
		.depth = 1,
	};
	fake.header =
		(struct header_store){.ops = &header_ops, .area_size = SIZE, .on_data_disk = true};
	assert_int_equal(sem_init(&fake.at_work, 0, 0), 0);
	assert_int_equal(sem_init(&fake.woken, 0, 0), 0);
}

static void a_broken_disk_does_not_leave_a_call_behind(void **state)
{
	_cleanup_(secret_freep) struct secret *key = NULL;
	_cleanup_(checksum_freep) struct checksum *checksum = NULL;
	_cleanup_(cipher_freep) struct cipher *cipher = NULL;
	_cleanup_(pool_freep) struct pool *pool = NULL, *lane = NULL;
	_cleanup_(engine_freep) struct engine *e = NULL;
	struct engine_config config;
	enum engine_outcome outcome;

	(void)state;
	set_up_fake();
	assert_int_equal(secret_new(64, &key), 0);
	for (size_t i = 0; i < key->size; i++)
		key->data[i] = (uint8_t)i;
	assert_int_equal(cipher_new("aes-xts-plain64", key, BLOCK, 1, &cipher), 0);
	assert_int_equal(checksum_new("sha256", 1, &checksum), 0);
	assert_int_equal(pool_new("crypto", 0, fake_wake, NULL, &pool), 0);
	assert_int_equal(pool_new("header", 1, fake_wake, NULL, &lane), 0);
	config = (struct engine_config){
		.disk = &fake.disk,
		.size = SIZE,
		.resilience = ENGINE_CHECKSUM,
		.old_side.cipher = cipher,
		.new_side.cipher = cipher,
		.checksum = checksum,
		.block_size = BLOCK,
		.hotzone_size = SIZE,
		.header = &fake.header,
		.pool = pool,
		.header_lane = lane,
	};
	/* What could not be computed is refused. */
	config.checksum = NULL;
	assert_int_equal(engine_new(&config, &e), -EINVAL);
	config.checksum = checksum;
	assert_int_equal(engine_new(&config, &e), 0);
	assert_int_equal(engine_run(e, &(struct position){}, &outcome), -ENODEV);
	assert_true(atomic_load(&fake.ended));
	/* By the lane, once the call had ended, and by each job of the other pool. */
	assert_int_equal(sem_trywait(&fake.woken), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_broken_disk_does_not_leave_a_call_behind),
	};

	log_init("test", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
