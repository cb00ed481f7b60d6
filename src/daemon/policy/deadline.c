/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/policy/deadline.h"

#include <errno.h>

#include "daemon/policy/units.h"
#include "util/checked.h"
#include "util/text.h"

#define SECOND UINT64_C(1000000)
/* A rate has its ups and downs: so long below what is needed counts. */
#define SLOW_USEC (15 * SECOND)

static int parse_span_or_time(const char *text, struct deadline *d)
{
	int r = config_parse_usec(text, &d->span_usec);

	if (r == -EINVAL) {
		d->span_usec = 0;
		return calendar_parse(text, &d->calendar);
	}
	if (r < 0)
		return r;
	return d->span_usec > 0 ? 0 : -EINVAL;
}

int deadline_parse(const char *text, struct deadline *ret)
{
	struct deadline d = {.set = *text != '\0'};
	int r = d.set ? parse_span_or_time(text, &d) : 0;

	if (r < 0)
		return r;
	(void)text_copy(d.text, sizeof(d.text), text);
	*ret = d;
	return 0;
}

uint64_t deadline_at(const struct deadline *d, uint64_t started)
{
	uint64_t at;

	if (!d->set)
		return 0;
	if (d->span_usec > 0)
		return started + d->span_usec;
	at = calendar_next(&d->calendar, started);
	/* Begun too late for it: it has passed, which is worse than none. */
	return at != CALENDAR_NEVER ? at : calendar_next(&d->calendar, 0);
}

uint64_t deadline_rate(uint64_t bytes, uint64_t usec)
{
	__uint128_t rate;

	if (bytes == 0)
		return 0;
	if (usec == 0)
		return UINT64_MAX;
	rate = ((__uint128_t)bytes * SECOND + usec - 1) / usec;
	return rate < UINT64_MAX ? (uint64_t)rate : UINT64_MAX;
}

uint64_t deadline_floor(uint64_t rate)
{
	return rate > UINT64_MAX / 2 ? UINT64_MAX : rate + rate / 20;
}

uint64_t deadline_least(uint64_t bytes, uint64_t limit)
{
	return limit == 0 ? 0 : deadline_rate(bytes, limit);
}

void deadline_update(struct deadline_watch *w, const struct deadline_look *l)
{
	const uint64_t limit = l->limit == 0 ? UINT64_MAX - 1 : l->limit;

	if (l->rate == 0 || l->rate >= l->needed)
		w->slow_since_usec = 0;
	else if (w->slow_since_usec == 0)
		w->slow_since_usec = l->now_usec;
	if (l->needed > limit ||
	    (w->slow_since_usec > 0 && l->now_usec - w->slow_since_usec >= SLOW_USEC))
		w->at_risk = true;
	else if (w->slow_since_usec == 0 && l->needed <= limit - limit / 10)
		w->at_risk = false;
}
