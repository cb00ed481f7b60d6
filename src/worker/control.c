/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/control.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"
#include "pace/stall.h"
#include "worker/conversion.h"

/* How long whoever shows progress is waited for, microseconds. */
#define PATIENCE_USEC UINT64_C(10000000)

struct work_request *request_new(enum worker_job job)
{
	struct work_request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->job = job;
	r->fd[0] = r->fd[1] = -1;
	message_init(MESSAGE_PREPARE, &r->order);
	message_init(MESSAGE_UNLOCK, &r->unlock);
	message_init(MESSAGE_PROVIDER, &r->provider);
	message_init(MESSAGE_FOREGROUND, &r->foreground);
	return r;
}

struct work_request *request_free(struct work_request *r)
{
	if (!r)
		return NULL;
	cleanup_close(&r->fd[0]);
	cleanup_close(&r->fd[1]);
	message_clear(MESSAGE_PROVIDER, &r->provider);
	message_clear(MESSAGE_FOREGROUND, &r->foreground);
	free(r);
	return NULL;
}

struct report *report_new(enum report_kind kind)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->kind = kind;
	r->key_fd[0] = r->key_fd[1] = -1;
	return r;
}

struct report *report_free(struct report *r)
{
	if (!r)
		return NULL;
	cleanup_close(&r->key_fd[0]);
	cleanup_close(&r->key_fd[1]);
	message_clear(MESSAGE_QUESTION, &r->question);
	free(r);
	return NULL;
}

int control_init(struct control *c)
{
	int r;

	*c = (struct control){.event_fd = -1,
			      .stop_fd = -1,
			      .signal_fd = -1,
			      .state.limits.stall_target_usec = STALL_DEFAULT_TARGET};
	c->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->event_fd < 0)
		return -errno;
	c->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->stop_fd < 0)
		return -errno;
	c->signal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->signal_fd < 0)
		return -errno;
	r = rate_init(&c->rate, 0);
	if (r < 0)
		return r;
	r = -pthread_mutex_init(&c->lock, NULL);
	return r < 0 ? r : -pthread_cond_init(&c->work, NULL);
}

void control_destroy(struct control *c)
{
	while (c->requests) {
		struct work_request *next = c->requests->next;

		request_free(c->requests);
		c->requests = next;
	}
	while (c->reports) {
		struct report *next = c->reports->next;

		report_free(c->reports);
		c->reports = next;
	}
	free(c->record);
	c->question.answer = secret_free(c->question.answer);
	cleanup_close(&c->event_fd);
	cleanup_close(&c->stop_fd);
	cleanup_close(&c->signal_fd);
	rate_destroy(&c->rate);
	(void)pthread_cond_destroy(&c->work);
	(void)pthread_mutex_destroy(&c->lock);
}

static void lock(struct control *c)
{
	(void)pthread_mutex_lock(&c->lock);
}

static void unlock(struct control *c)
{
	(void)pthread_mutex_unlock(&c->lock);
}

/* Lets the working thread look: where it waits for work, and where it waits for the rate. */
static void unlock_and_wake(struct control *c)
{
	(void)pthread_cond_signal(&c->work);
	unlock(c);
	rate_wake(&c->rate);
}

/* Under the lock. An eventfd that is not blocking fails only where it is as it should be. */
static void set_stop(struct control *c, bool stop)
{
	eventfd_t old;

	c->stop = stop;
	if (stop)
		(void)eventfd_write(c->stop_fd, 1);
	else
		(void)eventfd_read(c->stop_fd, &old);
}

static bool is_no_job(enum worker_job job)
{
	return job == WORKER_INSPECT || job == WORKER_LOCK;
}

/* Under the lock. A job that does not convert yet is ended for it; CONVERT is for Stop() to end. */
static int accept_lock(struct control *c)
{
	if (c->state.job == WORKER_NONE)
		return 0;
	if (c->keys_in_use)
		return -EBUSY;
	set_stop(c, true);
	return 0;
}

/* Under the lock. */
static int accept_job(struct control *c, enum worker_job job)
{
	if (c->quit)
		return -ECANCELED;
	if (job == WORKER_LOCK)
		return accept_lock(c);
	if (is_no_job(job))
		return 0;
	if (job == WORKER_REVERSE && c->state.job == WORKER_CONVERT && c->after == WORKER_NONE) {
		c->after = job;
		set_stop(c, true);
		return 0;
	}
	if (c->state.job != WORKER_NONE)
		return -EBUSY;
	c->state.job = job;
	c->keys_in_use = job == WORKER_CONVERT;
	set_stop(c, false);
	return 0;
}

/* Under the lock. */
static void append_request(struct control *c, struct work_request *r)
{
	struct work_request **end = &c->requests;

	if (r->job == WORKER_CONVERT)
		c->state.run = r->order.run;
	while (*end)
		end = &(*end)->next;
	*end = r;
}

int control_submit(struct control *c, struct work_request *r)
{
	int error;

	assert(r->job > WORKER_NONE && r->job < WORKER_JOB_COUNT && !r->next);
	lock(c);
	error = accept_job(c, r->job);
	if (error < 0) {
		unlock(c);
		request_free(r);
		return error;
	}
	append_request(c, r);
	unlock_and_wake(c);
	return 0;
}

void control_stop(struct control *c)
{
	lock(c);
	set_stop(c, true);
	unlock_and_wake(c);
}

void control_quit(struct control *c)
{
	lock(c);
	c->quit = true;
	set_stop(c, true);
	unlock_and_wake(c);
}

void control_signal(struct control *c)
{
	const uint64_t one = 1;

	c->signalled = 1;
	(void)!write(c->stop_fd, &one, sizeof(one));
	(void)!write(c->signal_fd, &one, sizeof(one));
}

void control_hang_up(struct control *c)
{
	lock(c);
	c->question.hung_up = true;
	unlock(c);
	control_quit(c);
}

void control_answer(struct control *c, uint32_t number, int error, struct secret *secret)
{
	struct question *q = &c->question;

	assert(error <= 0);
	lock(c);
	if (q->asked && !q->answered && q->number == number) {
		q->answered = true;
		q->error = error;
		q->answer = TAKE_PTR(secret);
	}
	secret_free(secret);
	unlock_and_wake(c);
}

void control_set_limits(struct control *c, const struct worker_limits *limits)
{
	lock(c);
	c->state.limits = *limits;
	c->new_limits = true;
	unlock_and_wake(c);
}

void control_set_governor(struct control *c, const struct governor_config *governor)
{
	lock(c);
	c->state.governor = *governor;
	c->new_limits = true;
	unlock_and_wake(c);
}

void control_set_identity(struct control *c, const struct identity *identity)
{
	lock(c);
	c->identity = *identity;
	unlock(c);
}

uint64_t control_set_record(struct control *c, char *text)
{
	uint64_t serial;

	assert(text);
	lock(c);
	free(c->record);
	c->record = text;
	serial = ++c->record_serial;
	unlock_and_wake(c);
	return serial;
}

struct report *control_take(struct control *c)
{
	struct report *r;

	lock(c);
	r = c->reports;
	if (r)
		c->reports = r->next;
	unlock(c);
	return r;
}

enum worker_job control_job(struct control *c)
{
	enum worker_job job;

	lock(c);
	job = c->state.job;
	unlock(c);
	return job;
}

bool control_has_ended(struct control *c)
{
	bool ended;

	lock(c);
	ended = c->ended && !c->reports;
	unlock(c);
	return ended;
}

void control_get_state(struct control *c, struct control_state *ret)
{
	lock(c);
	*ret = c->state;
	unlock(c);
}

void control_job_is_over(struct control *c)
{
	lock(c);
	assert(c->state.job != WORKER_NONE);
	c->state.job = c->after;
	c->after = WORKER_NONE;
	unlock(c);
}

struct work_request *control_next(struct control *c, char **ret_record, uint64_t *ret_serial)
{
	struct work_request *r = NULL;

	*ret_record = NULL;
	lock(c);
	while (!c->quit && !c->requests && !c->record)
		(void)pthread_cond_wait(&c->work, &c->lock);
	if (c->quit) {
		unlock(c);
		return NULL;
	}
	if (c->record) {
		*ret_record = TAKE_PTR(c->record);
		*ret_serial = c->record_serial;
	} else {
		r = c->requests;
		c->requests = r->next;
		/* A stop was for the job before. */
		if (r->job == WORKER_REVERSE)
			set_stop(c, false);
	}
	unlock(c);
	return r;
}

char *control_take_record(struct control *c, uint64_t *ret_serial)
{
	char *text;

	lock(c);
	text = TAKE_PTR(c->record);
	*ret_serial = c->record_serial;
	c->new_limits = false;
	unlock(c);
	return text;
}

bool control_pause_wanted(struct control *c)
{
	bool wanted;

	lock(c);
	wanted = c->record || c->new_limits;
	unlock(c);
	return wanted;
}

void control_forget_stop(struct control *c)
{
	lock(c);
	if (!c->quit && !c->requests)
		set_stop(c, false);
	unlock(c);
}

void control_use_keys(struct control *c)
{
	lock(c);
	c->keys_in_use = true;
	unlock(c);
}

bool control_wants_stop(struct control *c)
{
	bool stop;

	lock(c);
	stop = c->stop || c->signalled;
	unlock(c);
	return stop;
}

struct worker_limits control_limits(struct control *c)
{
	struct worker_limits limits;

	lock(c);
	limits = c->state.limits;
	unlock(c);
	return limits;
}

struct governor_config control_governor(struct control *c)
{
	struct governor_config governor;

	lock(c);
	governor = c->state.governor;
	unlock(c);
	return governor;
}

struct identity control_identity(struct control *c)
{
	struct identity identity;

	lock(c);
	identity = c->identity;
	unlock(c);
	return identity;
}

void control_set_governed(struct control *c, uint64_t rate, const char *reason)
{
	lock(c);
	c->state.governor_rate = rate;
	(void)text_copy(c->state.governor_reason, sizeof(c->state.governor_reason), reason);
	unlock(c);
}

static void wake_control_thread(struct control *c)
{
	const uint64_t one = 1;

	if (write(c->event_fd, &one, sizeof(one)) < 0)
		log_error_errno(-errno, "the control thread cannot be woken");
}

static bool is_about_progress(enum question_kind kind)
{
	return kind == QUESTION_SHOW_PROGRESS || kind == QUESTION_LEAVE_PROGRESS;
}

/* Under the lock. The volume must not wait for a terminal that shows its progress. */
static void wait_for_answer(struct control *c, enum question_kind kind)
{
	const bool stops = !is_about_progress(kind);
	const uint64_t end = now_usec() + PATIENCE_USEC;
	const struct timespec deadline = {.tv_sec = (time_t)(end / 1000000),
					  .tv_nsec = (long)(end % 1000000 * 1000)};
	int error = 0;

	while (!c->question.answered && !c->question.hung_up && !(stops && c->stop) &&
	       error != ETIMEDOUT)
		error = stops ? pthread_cond_wait(&c->work, &c->lock)
			      : pthread_cond_clockwait(&c->work, &c->lock, CLOCK_MONOTONIC,
						       &deadline);
}

int control_ask(struct control *c, struct report *question, struct secret **ret)
{
	struct question *q = &c->question;
	const enum question_kind kind = question->question.kind;
	int r;

	lock(c);
	assert(!q->asked && !q->answer);
	q->asked = true;
	q->answered = false;
	question->question.number = ++q->number;
	unlock(c);
	control_report(c, question);
	lock(c);
	wait_for_answer(c, kind);
	r = q->answered ? q->error : -EINTR;
	q->asked = false;
	if (r == 0 && q->answer)
		*ret = TAKE_PTR(q->answer);
	else if (r == 0)
		r = secret_new(0, ret);
	q->answer = secret_free(q->answer);
	unlock(c);
	return r;
}

void control_end(struct control *c)
{
	lock(c);
	assert(!c->ended);
	c->ended = true;
	unlock(c);
	wake_control_thread(c);
}

void control_report(struct control *c, struct report *r)
{
	struct report **end = &c->reports;

	assert(!r->next);
	lock(c);
	assert(!c->ended);
	while (*end)
		end = &(*end)->next;
	*end = r;
	unlock(c);
	wake_control_thread(c);
}

void control_set_look(struct control *c, const struct look *l)
{
	lock(c);
	c->state.look = *l;
	c->state.looked = true;
	unlock(c);
}

void control_set_keys(struct control *c, bool unlocked, unsigned passphrases)
{
	lock(c);
	c->state.unlocked = unlocked;
	c->state.passphrases = passphrases;
	unlock(c);
}

void control_set_progress(struct control *c, bool converting, const struct engine_progress *p)
{
	lock(c);
	c->state.converting = converting;
	if (p)
		c->state.progress = *p;
	unlock(c);
}
