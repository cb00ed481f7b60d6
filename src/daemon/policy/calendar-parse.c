/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads calendar expressions. */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/policy/calendar.h"
#include "util/checked.h"

static const struct {
	const char *name, *means;
} words[] = {
	{"minutely", "*-*-* *:*:00"},
	{"hourly", "*-*-* *:00:00"},
	{"daily", "*-*-* 00:00:00"},
	{"weekly", "Mon *-*-* 00:00:00"},
	{"monthly", "*-*-01 00:00:00"},
	{"quarterly", "*-01,04,07,10-01 00:00:00"},
	{"semiannually", "*-01,07-01 00:00:00"},
	{"yearly", "*-01-01 00:00:00"},
	{"annually", "*-01-01 00:00:00"},
};

static int read_number(const char **text, int *ret)
{
	char *end;
	long n;

	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	n = strtol(*text, &end, 10);
	if (n > CALENDAR_YEAR_MAX)
		return -EINVAL;
	*text = end;
	*ret = (int)n;
	return 0;
}

static bool take(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

/* N, N..N, N/STEP, N..N/STEP */
static int read_range(const char **text, int min, int max, struct calendar_range *ret)
{
	struct calendar_range r = {.step = 1};

	assert(min <= max && max < INT_MAX);
	if (read_number(text, &r.first) < 0)
		return -EINVAL;
	r.last = **text == '/' ? INT_MAX : r.first;
	if (strncmp(*text, "..", 2) == 0) {
		*text += 2;
		if (read_number(text, &r.last) < 0)
			return -EINVAL;
	}
	if (take(text, '/') && read_number(text, &r.step) < 0)
		return -EINVAL;
	if (r.step == 0 || r.first < min || r.first > max || r.first > r.last ||
	    (r.last > max && r.last != INT_MAX))
		return -EINVAL;
	*ret = r;
	return 0;
}

static int read_field(const char **text, int min, int max, struct calendar_field *ret)
{
	struct calendar_field f = {};
	int r = 0;

	if (**text == '*') {
		(*text)++;
		*ret = f;
		return 0;
	}
	do {
		if (f.n == CALENDAR_RANGES_MAX)
			return -EINVAL;
		r = read_range(text, min, max, &f.range[f.n++]);
	} while (r == 0 && **text == ',' && (*text)++);
	*ret = f;
	return r;
}

static bool is_within(const struct calendar_field *f, int min, int max)
{
	for (unsigned i = 0; i < f->n; i++)
		if (f->range[i].first < min || f->range[i].first > max ||
		    (f->range[i].last > max && f->range[i].last != INT_MAX))
			return false;
	return true;
}

static int read_date(const char *text, struct calendar *c)
{
	struct calendar_field first, second;
	int r = read_field(&text, 0, CALENDAR_YEAR_MAX, &first);

	if (r < 0 || !take(&text, '-'))
		return -EINVAL;
	r = read_field(&text, 1, 31, &second);
	if (r < 0)
		return r;
	if (take(&text, '-')) {
		c->year = first;
		c->month = second;
		r = read_field(&text, 1, 31, &c->day);
	} else {
		c->month = first;
		c->day = second;
	}
	if (r < 0 || *text)
		return -EINVAL;
	/* Which field is which was not known before. */
	return is_within(&c->year, CALENDAR_YEAR_MIN, CALENDAR_YEAR_MAX) &&
			       is_within(&c->month, 1, 12)
		       ? 0
		       : -EINVAL;
}

static int read_time(const char *text, struct calendar *c)
{
	int r = read_field(&text, 0, 23, &c->hour);

	if (r < 0 || !take(&text, ':'))
		return -EINVAL;
	if (read_field(&text, 0, 59, &c->minute) < 0)
		return -EINVAL;
	if (!take(&text, ':'))
		c->second = (struct calendar_field){.n = 1, .range = {{0, 0, 1}}};
	else if (read_field(&text, 0, 59, &c->second) < 0)
		return -EINVAL;
	return *text ? -EINVAL : 0;
}

/* "Mon" or "Monday" at the start of *@text, in any case. */
static int read_weekday(const char **text, unsigned *ret)
{
	static const char *const names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
					    "Thursday", "Friday", "Saturday"};
	size_t n = 0;

	while (isalpha((unsigned char)(*text)[n]))
		n++;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if ((n == 3 || n == strlen(names[i])) && strncasecmp(*text, names[i], n) == 0) {
			*text += n;
			*ret = i;
			return 0;
		}
	return -EINVAL;
}

static int read_weekdays(const char *text, struct calendar *c)
{
	do {
		unsigned first, last;

		if (read_weekday(&text, &first) < 0)
			return -EINVAL;
		last = first;
		if (strncmp(text, "..", 2) == 0) {
			text += 2;
			if (read_weekday(&text, &last) < 0)
				return -EINVAL;
		}
		for (unsigned day = first;; day = (day + 1) % 7) {
			c->weekdays |= 1U << day;
			if (day == last)
				break;
		}
	} while (take(&text, ',') && *text);
	return *text ? -EINVAL : 0;
}

struct words_seen {
	bool weekdays, date, time, utc;
};

/* Each kind once, and in this order. */
static int read_word(const char *word, struct calendar *c, struct words_seen *seen)
{
	if (seen->utc)
		return -EINVAL;
	if (strcasecmp(word, "UTC") == 0) {
		c->utc = seen->utc = true;
		return 0;
	}
	if (strchr(word, ':')) {
		if (seen->time)
			return -EINVAL;
		seen->time = true;
		return read_time(word, c);
	}
	if (seen->time)
		return -EINVAL;
	if (isalpha((unsigned char)*word)) {
		if (seen->weekdays || seen->date)
			return -EINVAL;
		seen->weekdays = true;
		return read_weekdays(word, c);
	}
	if (seen->date)
		return -EINVAL;
	seen->date = true;
	return read_date(word, c);
}

int calendar_parse(const char *text, struct calendar *ret)
{
	static const struct calendar_field zero = {.n = 1, .range = {{0, 0, 1}}};
	struct calendar c = {.hour = zero, .minute = zero, .second = zero};
	struct words_seen seen = {};
	char copy[256], *left, *word;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(words[i].name, text) == 0)
			text = words[i].means;
	if ((size_t)snprintf(copy, sizeof(copy), "%s", text) >= sizeof(copy))
		return -EINVAL;
	for (word = strtok_r(copy, " \t", &left); word && r == 0;
	     word = strtok_r(NULL, " \t", &left))
		r = read_word(word, &c, &seen);
	if (r < 0 || (!seen.weekdays && !seen.date && !seen.time))
		return -EINVAL;
	if (calendar_next(&c, 0) == CALENDAR_NEVER)
		return -EINVAL;
	*ret = c;
	return 0;
}
