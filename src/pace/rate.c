/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pace/rate.h"

#include <time.h>

#include "util/checked.h"
#include "util/clock.h"

#define SECOND UINT64_C(1000000)

static int init_condition(pthread_cond_t *c, pthread_condattr_t *attr)
{
	const int error = pthread_condattr_setclock(attr, CLOCK_MONOTONIC);

	return error ? error : pthread_cond_init(c, attr);
}

static int init_wake(struct rate *r)
{
	pthread_condattr_t attr;
	int error = pthread_condattr_init(&attr);

	if (error)
		return error;
	error = init_condition(&r->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
	return error;
}

int rate_init(struct rate *r, uint64_t bytes_per_second)
{
	int error;

	*r = (struct rate){.wanted = bytes_per_second};
	error = pthread_mutex_init(&r->lock, NULL);
	if (error)
		return -error;
	error = init_wake(r);
	if (error)
		(void)pthread_mutex_destroy(&r->lock);
	return -error;
}

void rate_destroy(struct rate *r)
{
	(void)pthread_cond_destroy(&r->wake);
	(void)pthread_mutex_destroy(&r->lock);
}

void rate_set(struct rate *r, uint64_t bytes_per_second)
{
	(void)pthread_mutex_lock(&r->lock);
	r->wanted = bytes_per_second;
	(void)pthread_cond_broadcast(&r->wake);
	(void)pthread_mutex_unlock(&r->lock);
}

uint64_t rate_get(struct rate *r)
{
	uint64_t rate;

	(void)pthread_mutex_lock(&r->lock);
	rate = r->wanted;
	(void)pthread_mutex_unlock(&r->lock);
	return rate;
}

void rate_wake(struct rate *r)
{
	(void)pthread_mutex_lock(&r->lock);
	(void)pthread_cond_broadcast(&r->wake);
	(void)pthread_mutex_unlock(&r->lock);
}

/* How long @bytes may take, microseconds. */
static uint64_t price(const struct rate *r, uint64_t bytes)
{
	uint64_t product;

	if (r->current == 0)
		return 0;
	if (mul_u64(bytes, SECOND, &product) < 0)
		return bytes / r->current * SECOND;
	return product / r->current;
}

static uint64_t due_at(const struct rate *r, uint64_t total, uint64_t now)
{
	const uint64_t due = r->due + price(r, total - r->counted);

	return due + RATE_BURST_USEC < now ? now - RATE_BURST_USEC : due;
}

bool rate_is_due(struct rate *r, uint64_t total, uint64_t now)
{
	return rate_get(r) != r->current || due_at(r, total, now) > now;
}

static void pay(struct rate *r, uint64_t total, uint64_t now)
{
	r->due = r->started && r->current > 0 ? due_at(r, total, now) : now;
	r->counted = total;
	r->started = true;
}

/* Under the lock. A debt is paid at the higher of both rates. */
static void take_up(struct rate *r, uint64_t now)
{
	if (r->wanted == r->current)
		return;
	if (r->wanted == 0)
		r->due = now;
	else if (r->due > now && r->wanted > r->current)
		r->due = now + (uint64_t)((double)(r->due - now) * (double)r->current /
					  (double)r->wanted);
	r->current = r->wanted;
}

void rate_wait(struct rate *r, uint64_t total, bool (*interrupted)(void *arg), void *arg)
{
	uint64_t now = now_usec();

	pay(r, total, now);
	(void)pthread_mutex_lock(&r->lock);
	for (take_up(r, now); now < r->due && !interrupted(arg); take_up(r, now)) {
		const struct timespec until = {
			.tv_sec = (time_t)(r->due / SECOND),
			.tv_nsec = (long)(r->due % SECOND * 1000),
		};

		(void)pthread_cond_timedwait(&r->wake, &r->lock, &until);
		now = now_usec();
	}
	(void)pthread_mutex_unlock(&r->lock);
}

uint64_t rate_hotzone(const struct rate *r)
{
	return r->current == 0 ? 0 : MAX(r->current / (SECOND / RATE_HOTZONE_USEC), UINT64_C(1));
}
