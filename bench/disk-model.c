/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "disk-model.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/param.h>

#define SECOND     INT64_C(1000000000)
#define PAGE       INT64_C(4096)
#define WRITE_BACK (INT64_C(1) << 20) /* at a time, at most */
#define SMALL      INT64_C(65536)     /* goes first where the queue is fair */
/* A sector that passed the head so short a time ago is still met: the disk buffers that much. */
#define SETTLED INT64_C(20000)
/* What comes so close together came at once: the threads that hand it over race. */
#define BURST INT64_C(1000000)

struct queue {
	struct disk_request *first, **end;
};

struct lane {
	struct queue queue;
	int64_t free_at;
};

struct disk_model {
	struct disk_parameters p;
	void (*log)(void *arg, const struct disk_request *r);
	void *log_arg;
	struct queue arrived; /* waits for an exclusive flush */
	struct queue writes;  /* waits for room in the cache */
	struct lane lanes[2];
	struct disk_request *flush; /* an exclusive one that waits for what came before it */
	int64_t flush_free;
	int64_t last_done;
	struct disk_request *done; /* by time; the times are known, but may lie ahead */
	int64_t head;              /* offset behind the last transfer */
	enum disk_op head_op;
	uint64_t *dirty; /* one bit for a page in the cache */
	int64_t n_pages, n_dirty;
	bool emptying; /* the head writes back although there is something to read */
	int64_t batch; /* bytes since that began or ended */
	int64_t link_free;
};

#define PARAMETER(name)                                                                            \
	{                                                                                          \
#name, offsetof(struct disk_parameters, name)                                      \
	}

int disk_parameters_set(struct disk_parameters *p, const char *name, int64_t value)
{
	static const struct {
		const char *name;
		size_t offset;
	} known[] = {
		PARAMETER(size),         PARAMETER(read_rate),       PARAMETER(write_rate),
		PARAMETER(read_latency), PARAMETER(write_latency),   PARAMETER(request_time),
		PARAMETER(iops),         PARAMETER(iop_size),        PARAMETER(half_duplex),
		PARAMETER(flush_time),   PARAMETER(exclusive_flush), PARAMETER(fair),
		PARAMETER(turn),         PARAMETER(least_seek),      PARAMETER(full_seek),
		PARAMETER(disk_size),    PARAMETER(header_size),     PARAMETER(data_place),
		PARAMETER(cache),        PARAMETER(cache_high),      PARAMETER(cache_low),
		PARAMETER(link_rate),    PARAMETER(gather),
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].name, name) == 0) {
			memcpy((char *)p + known[i].offset, &value, sizeof(value));
			return 0;
		}
	}
	return -EINVAL;
}

static void push(struct queue *q, struct disk_request *r)
{
	r->next = NULL;
	*q->end = r;
	q->end = &r->next;
}

static struct disk_request *take_out(struct queue *q, struct disk_request **at)
{
	struct disk_request *r = *at;

	*at = r->next;
	if (!r->next)
		q->end = at;
	r->next = NULL;
	return r;
}

static int64_t time_of(int64_t size, int64_t rate)
{
	return size * SECOND / rate;
}

static struct lane *lane_of(struct disk_model *m, enum disk_op op)
{
	return &m->lanes[op == DISK_WRITE && !m->p.half_duplex];
}

/* All times of @r are known. */
static void complete(struct disk_model *m, struct disk_request *r)
{
	struct disk_request **at = &m->done;

	while (*at && (*at)->done <= r->done)
		at = &(*at)->next;
	r->next = *at;
	*at = r;
	m->last_done = MAX(m->last_done, r->done);
	if (m->log)
		m->log(m->log_arg, r);
}

/* ---- the head ---- */

static int64_t place(const struct disk_parameters *p, int64_t offset)
{
	return offset < p->header_size ? offset : offset + p->data_place;
}

static int64_t track_size(const struct disk_parameters *p)
{
	return p->read_rate * p->turn / SECOND;
}

/* Behind the last byte, which may be that of the header: then it is far from the data. */
static int64_t head_place(const struct disk_model *m)
{
	return m->head > 0 ? place(&m->p, m->head - 1) + 1 : 0;
}

static int64_t seek_time(const struct disk_model *m, int64_t offset)
{
	const int64_t distance = llabs(place(&m->p, offset) - head_place(m));
	const double part = (double)distance / (double)m->p.disk_size;

	/* On this track or the next one: only the platter has to turn. */
	if (distance < track_size(&m->p))
		return 0;
	return m->p.least_seek +
	       (int64_t)((double)(m->p.full_seek - m->p.least_seek) * sqrt(MIN(part, 1)));
}

/* When the head stands over @offset, if it starts at @now. The angle of the platter is that of
 * @now. */
static int64_t position(const struct disk_model *m, int64_t now, enum disk_op op, int64_t offset)
{
	const int64_t track = track_size(&m->p), turn = m->p.turn;
	int64_t arrival, wait;

	/* The disk has gone on reading meanwhile. */
	if (op == DISK_READ && m->head_op == DISK_READ && place(&m->p, offset) == head_place(m))
		return now;
	arrival = now + seek_time(m, offset);
	wait = (offset % track * turn / track + turn - arrival % turn) % turn;
	if (wait > turn - SETTLED)
		wait -= turn;
	return arrival + wait;
}

static int64_t transfer(struct disk_model *m, int64_t now, enum disk_op op, int64_t offset,
			int64_t size)
{
	const int64_t at = position(m, now, op, offset);

	m->head = offset + size;
	m->head_op = op;
	m->batch += size;
	return at + time_of(size, m->p.read_rate);
}

/* ---- its cache ---- */

static bool is_dirty(const struct disk_model *m, int64_t page)
{
	return m->dirty[page / 64] >> (page % 64) & 1;
}

/* The first dirty page of [from, to), or @to. */
static int64_t find_dirty(const struct disk_model *m, int64_t from, int64_t to)
{
	while (from < to && !is_dirty(m, from)) {
		if (from % 64 == 0 && m->dirty[from / 64] == 0)
			from += 64;
		else
			from++;
	}
	return MIN(from, to);
}

static int64_t count_dirty(const struct disk_model *m, const struct disk_request *r)
{
	int64_t n = 0;

	for (int64_t page = r->offset / PAGE; page * PAGE < r->offset + r->size; page++)
		n += is_dirty(m, page);
	return n;
}

static void cross_link(struct disk_model *m, struct disk_request *r, int64_t now, int64_t latency)
{
	r->start = MAX(now, m->link_free);
	r->end = r->start + time_of(r->size, m->p.link_rate);
	r->done = r->end + latency;
	m->link_free = r->end;
	complete(m, r);
}

/* False: there is no room yet. */
static bool has_room(struct disk_model *m, const struct disk_request *r)
{
	const int64_t fresh = (r->size + PAGE - 1) / PAGE - count_dirty(m, r);

	return m->n_dirty == 0 || (m->n_dirty + fresh) * PAGE <= m->p.cache;
}

static void make_dirty(struct disk_model *m, const struct disk_request *r)
{
	for (int64_t page = r->offset / PAGE; page * PAGE < r->offset + r->size; page++) {
		m->n_dirty += !is_dirty(m, page);
		m->dirty[page / 64] |= UINT64_C(1) << (page % 64);
	}
}

/*
 * Reads come first until the cache is nearly full. From then on batches of both take turns, so that
 * a stream of writes cannot keep reads away for ever.
 */
static bool is_emptying(struct disk_model *m)
{
	const int64_t most = m->p.cache_high - m->p.cache_low;
	const bool ends = m->n_dirty * PAGE <= m->p.cache_low || m->batch >= most;
	const bool begins = m->n_dirty * PAGE >= m->p.cache_high && m->batch >= most;

	if (m->emptying ? ends : begins) {
		m->emptying = !m->emptying;
		m->batch = 0;
	}
	return m->emptying && m->n_dirty > 0;
}

/* On from the head, and then from the start of the disk again. */
static void write_back(struct disk_model *m, int64_t now)
{
	const int64_t from = MIN(m->head / PAGE, m->n_pages);
	struct disk_request done = {.op = DISK_WRITE_BACK, .arrival = now, .start = now};
	int64_t page = find_dirty(m, from, m->n_pages), n = 0;

	if (page == m->n_pages)
		page = find_dirty(m, 0, from);
	for (; n < WRITE_BACK / PAGE && page + n < m->n_pages && is_dirty(m, page + n); n++)
		m->dirty[(page + n) / 64] &= ~(UINT64_C(1) << ((page + n) % 64));
	m->n_dirty -= n;
	done.offset = page * PAGE;
	done.size = n * PAGE;
	done.end = done.done = transfer(m, now, DISK_WRITE_BACK, done.offset, done.size);
	m->lanes[0].free_at = done.end;
	if (m->log)
		m->log(m->log_arg, &done);
}

/* ---- lanes ---- */

static int64_t bus_time(const struct disk_parameters *p, const struct disk_request *r)
{
	const int64_t rate = r->op == DISK_READ ? p->read_rate : p->write_rate;
	int64_t time = time_of(r->size, rate) + p->request_time;

	if (p->iops > 0)
		time = MAX(time, (r->size + p->iop_size - 1) / p->iop_size * SECOND / p->iops);
	return time;
}

static int64_t way(const struct disk_model *m, int64_t offset)
{
	return llabs(place(&m->p, offset) - head_place(m));
}

/* Of those that came with the first one, of its kind, the one that the head is nearest to. */
static struct disk_request **nearest(const struct disk_model *m, struct queue *q)
{
	const struct disk_request *first = q->first;
	struct disk_request **found = &q->first;

	for (struct disk_request **at = found; *at; at = &(*at)->next) {
		if ((*at)->arrival - first->arrival > BURST)
			break;
		if ((*at)->op == first->op && way(m, (*at)->offset) < way(m, (*found)->offset))
			found = at;
	}
	return found;
}

static void serve(struct disk_model *m, struct lane *lane, int64_t now)
{
	struct disk_request **at = &lane->queue.first, *r;

	if (!*at || is_emptying(m)) {
		write_back(m, now);
		return;
	}
	if (m->p.fair) {
		while (*at && (*at)->size > SMALL)
			at = &(*at)->next;
		if (!*at)
			at = &lane->queue.first;
	} else if (m->p.turn) {
		at = nearest(m, &lane->queue);
	}
	r = take_out(&lane->queue, at);
	r->start = now;
	r->end = m->p.turn ? transfer(m, now, r->op, r->offset, r->size) : now + bus_time(&m->p, r);
	r->done = r->end + (r->op == DISK_READ ? m->p.read_latency : m->p.write_latency);
	lane->free_at = r->end;
	complete(m, r);
}

static void begin_flush(struct disk_model *m, struct disk_request *r)
{
	if (m->p.exclusive_flush) {
		m->flush = r;
		return;
	}
	r->start = MAX(r->arrival, m->flush_free);
	r->end = r->done = m->flush_free = r->start + m->p.flush_time;
	complete(m, r);
}

static void end_flush(struct disk_model *m, int64_t now)
{
	struct disk_request *r = TAKE_PTR(m->flush);

	r->start = now;
	r->end = r->done = now + m->p.flush_time;
	m->lanes[0].free_at = m->lanes[1].free_at = m->link_free = r->done;
	complete(m, r);
}

static void fill_cache(struct disk_model *m, int64_t now)
{
	while (m->writes.first && has_room(m, m->writes.first)) {
		struct disk_request *r = take_out(&m->writes, &m->writes.first);

		make_dirty(m, r);
		cross_link(m, r, now, m->p.write_latency);
	}
}

/* What arrived goes on its way, up to the first flush that has to be alone. */
static void take(struct disk_model *m, int64_t now)
{
	while (m->arrived.first && !m->flush) {
		struct disk_request *r = take_out(&m->arrived, &m->arrived.first);

		if (r->op == DISK_FLUSH)
			begin_flush(m, r);
		else if (r->op == DISK_WRITE && m->p.cache > 0)
			push(&m->writes, r);
		else if (m->n_dirty > 0 && count_dirty(m, r) * PAGE >= r->size)
			cross_link(m, r, now, m->p.read_latency);
		else
			push(&lane_of(m, r->op)->queue, r);
	}
	fill_cache(m, now);
}

/* When the lane does its next thing. */
static int64_t lane_next(const struct disk_model *m, const struct lane *lane)
{
	const bool has_cache = lane == &m->lanes[0] && m->n_dirty > 0;

	return lane->queue.first || has_cache ? lane->free_at : INT64_MAX;
}

/* When the flush begins that waits for all else; INT64_MAX: not yet known. */
static int64_t flush_next(const struct disk_model *m)
{
	if (!m->flush || m->lanes[0].queue.first || m->lanes[1].queue.first || m->writes.first ||
	    m->n_dirty > 0)
		return INT64_MAX;
	return MAX(MAX(m->lanes[0].free_at, m->lanes[1].free_at),
		   MAX(m->last_done, m->flush->arrival));
}

/* The next event up to @now; false: there is none. */
static bool step(struct disk_model *m, int64_t now)
{
	struct lane *lane = &m->lanes[0];
	int64_t next;

	if (m->lanes[0].free_at <= now)
		take(m, m->lanes[0].free_at);
	if (lane_next(m, &m->lanes[1]) < lane_next(m, lane))
		lane = &m->lanes[1];
	next = lane_next(m, lane);
	if (flush_next(m) <= MIN(next, now))
		end_flush(m, flush_next(m));
	else if (next <= now)
		serve(m, lane, next);
	else
		return false;
	return true;
}

static void advance(struct disk_model *m, int64_t now)
{
	while (step(m, now))
		;
}

void disk_model_submit(struct disk_model *m, struct disk_request *r)
{
	assert(r->offset >= 0 && r->size >= 0 && r->offset + r->size <= m->p.size);
	advance(m, r->arrival);
	/* A lane that has nothing to do begins no earlier than now. */
	for (int i = 0; i < 2; i++)
		if (m->lanes[i].free_at < r->arrival)
			m->lanes[i].free_at = r->arrival + m->p.gather;
	push(&m->arrived, r);
	take(m, r->arrival);
	advance(m, r->arrival);
}

struct disk_request *disk_model_done(struct disk_model *m, int64_t now)
{
	struct disk_request *r;

	advance(m, now);
	r = m->done;
	if (!r || r->done > now)
		return NULL;
	m->done = r->next;
	r->next = NULL;
	return r;
}

int64_t disk_model_next(const struct disk_model *m)
{
	int64_t next = MIN(lane_next(m, &m->lanes[0]), lane_next(m, &m->lanes[1]));

	next = MIN(next, flush_next(m));
	return m->done ? MIN(next, m->done->done) : next;
}

int disk_model_new(const struct disk_parameters *p,
		   void (*log)(void *arg, const struct disk_request *r), void *arg,
		   struct disk_model **ret)
{
	_cleanup_(disk_model_freep) struct disk_model *m = NULL;

	if (p->size <= 0 || p->read_rate <= 0 || p->write_rate <= 0 ||
	    (p->iops > 0 && p->iop_size <= 0))
		return -EINVAL;
	if (p->turn > 0 && (track_size(p) <= 0 || p->disk_size <= 0 || !p->half_duplex))
		return -EINVAL;
	if (p->cache > 0 && (p->turn <= 0 || p->link_rate <= 0 || !p->exclusive_flush))
		return -EINVAL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->p = *p;
	m->log = log;
	m->log_arg = arg;
	m->arrived.end = &m->arrived.first;
	m->writes.end = &m->writes.first;
	for (int i = 0; i < 2; i++)
		m->lanes[i].queue.end = &m->lanes[i].queue.first;
	m->n_pages = (p->size + PAGE - 1) / PAGE;
	m->dirty = calloc((size_t)m->n_pages / 64 + 1, sizeof(uint64_t));
	if (!m->dirty)
		return -ENOMEM;
	m->batch = p->cache_high; /* nothing has to wait for its turn yet */
	*ret = TAKE_PTR(m);
	return 0;
}

struct disk_model *disk_model_free(struct disk_model *m)
{
	if (m)
		free(m->dirty);
	free(m);
	return NULL;
}
