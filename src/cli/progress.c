/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/progress.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util/checked.h"
#include "util/cleanup.h"
#include "util/text.h"

#define SECOND    UINT64_C(1000000)
#define MINUTE    (60 * SECOND)
#define HOUR      (60 * MINUTE)
#define DAY       (24 * HOUR)
#define HALF_LINE 64

/* As cryptsetup: minutes and seconds up to 90 minutes, hours up to 36, days. */
static void format_time(uint64_t usec, char *buf)
{
	if (usec < 90 * MINUTE)
		(void)snprintf(buf, HALF_LINE, "%02" PRIu64 "m%02" PRIu64 "s", usec / MINUTE,
			       usec / SECOND % 60);
	else if (usec < 36 * HOUR)
		(void)snprintf(buf, HALF_LINE, "%02" PRIu64 "h%02" PRIu64 "m%02" PRIu64 "s",
			       usec / HOUR, usec / MINUTE % 60, usec / SECOND % 60);
	else
		(void)snprintf(buf, HALF_LINE, "%02" PRIu64 " days", usec / DAY);
}

/* Whole units, the next one from 4 Ki of the last. */
static void format_bytes(uint64_t bytes, char *buf)
{
	static const char *const units[] = {"MiB", "GiB", "TiB", "PiB", "EiB"};
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(units) && bytes >= UINT64_C(1) << (32 + 10 * i))
		i++;
	(void)snprintf(buf, HALF_LINE, "%4" PRIu64 " %s", bytes >> (20 + 10 * i), units[i]);
}

static void format_speed(uint64_t speed, char *buf)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
	double value = (double)speed;
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(units) && value > 1024) {
		value /= 1024;
		i++;
	}
	(void)snprintf(buf, HALF_LINE, "%5.1f %s/s", value, units[i]);
}

static int check_length(int printed, size_t size)
{
	return printed < 0 || (size_t)printed >= size ? -ENOSPC : 0;
}

int progress_format(const struct progress_figures *f, bool final, char *buf, size_t size)
{
	char time[HALF_LINE], written[HALF_LINE], speed[HALF_LINE];
	double percent = f->size ? (double)f->bytes / (double)f->size * 100 : 100;

	format_time(final ? f->elapsed_usec : f->eta_usec, time);
	format_bytes(f->bytes, written);
	format_speed(f->speed, speed);
	if (final)
		return check_length(snprintf(buf, size, "Finished, time %s, %s written, speed %s",
					     time, written, speed),
				    size);
	return check_length(snprintf(buf, size, "Progress: %5.1f%%, ETA %s, %s written, speed %s",
				     percent, time, written, speed),
			    size);
}

static int add_text(json_object *o, const char *key, const char *value)
{
	json_object *text = json_object_new_string(value);

	if (!text || json_object_object_add(o, key, text) < 0) {
		json_object_put(text);
		return -ENOMEM;
	}
	return 0;
}

/* All 64 bits survive only as text (cryptsetup-reencrypt(8), --progress-json). */
static int add_number(json_object *o, const char *key, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	return add_text(o, key, text);
}

int progress_format_json(const struct progress_figures *f, const char *device, char *buf,
			 size_t size)
{
	_cleanup_free_ char *text = NULL;
	json_object *o = json_object_new_object();
	int r = -ENOMEM;

	if (o && add_text(o, "device", device) == 0 &&
	    add_number(o, "device_bytes", f->bytes) == 0 &&
	    add_number(o, "device_size", f->size) == 0 && add_number(o, "speed", f->speed) == 0 &&
	    add_number(o, "eta_ms", f->eta_usec / 1000) == 0 &&
	    add_number(o, "time_ms", f->elapsed_usec / 1000) == 0)
		text = text_json(json_object_to_json_string_ext(
			o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	if (text)
		r = check_length(snprintf(buf, size, "%s", text), size);
	json_object_put(o);
	return r;
}

static struct progress_figures figures(const struct progress *p, uint64_t bytes, uint64_t now_usec)
{
	struct progress_figures f = {
		.bytes = bytes,
		.size = p->size,
		.elapsed_usec = now_usec - p->start_usec,
	};
	double done = bytes > p->start_bytes ? (double)(bytes - p->start_bytes) : 0;
	double speed = f.elapsed_usec ? done / (double)f.elapsed_usec * (double)SECOND : 0;

	f.speed = (uint64_t)speed;
	if (p->rate > 0 && p->size > bytes) {
		f.speed = p->rate;
		f.eta_usec = p->left_usec;
	} else if (speed > 0 && p->size > bytes)
		f.eta_usec = (uint64_t)((double)(p->size - bytes) / speed * (double)SECOND);
	return f;
}

/* A line that wraps would leave its first part behind, each time. */
static void fit(FILE *out, char *line)
{
	struct winsize size;

	if (ioctl(fileno(out), TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return;
	while (strlen(line) >= size.ws_col && strrchr(line, ','))
		*strrchr(line, ',') = '\0';
}

static bool may_draw(const struct progress *p)
{
	const char *term = getenv("TERM");

	return p->terminal && !p->json && !p->frequency && !(term && strcmp(term, "dumb") == 0);
}

static void print(struct progress *p, const struct progress_figures *f, bool final)
{
	/* A path has at most PATH_MAX bytes, and JSON makes six of a byte at worst. */
	char line[6 * 4096 + 512];
	int r = p->json ? progress_format_json(f, p->device, line, sizeof(line))
			: progress_format(f, final, line, sizeof(line));

	if (r < 0)
		return;
	/* Progress is no reason to fail: where nobody reads it, nobody misses it. */
	if (!may_draw(p)) {
		(void)fprintf(p->out, "%s\n", line);
	} else {
		fit(p->out, line);
		(void)fprintf(p->out, "\33[2K\r%s%s", line, final ? "\n" : "");
		p->line_open = !final;
	}
	(void)fflush(p->out);
}

void progress_update(struct progress *p, uint64_t bytes, uint64_t now_usec)
{
	uint64_t interval = p->frequency ? p->frequency * SECOND : SECOND / 2;
	bool final = bytes == p->size;
	struct progress_figures f;

	if (!p->started) {
		p->started = true;
		p->start_usec = p->last_usec = now_usec;
		p->start_bytes = bytes;
		return;
	}
	if (p->ended || (!final && now_usec - p->last_usec < interval))
		return;
	p->ended = final;
	p->last_usec = now_usec;
	f = figures(p, bytes, now_usec);
	print(p, &f, final);
}

void progress_break(struct progress *p)
{
	if (!p->line_open)
		return;
	(void)fputc('\n', p->out);
	(void)fflush(p->out);
	p->line_open = false;
}
