/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "util/log.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <systemd/sd-journal.h>

#include "util/checked.h"
#include "util/error.h"
#include "util/text.h"

static const char *log_program = "recryptd";
static int log_max_level = LOG_INFO;
static bool journal;
static void (*forward)(int level, const char *line);

static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	bool on;
	unsigned count, lost;
	struct {
		int level;
		char text[512];
	} line[16];
} held;

static _Thread_local struct log_capture captured;
static bool captured_only;

/* systemd sets JOURNAL_STREAM=device:inode for a service whose stderr is the journal
 * (sd-daemon(3)). */
static bool stderr_is_journal(void)
{
	const char *e = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return e && sscanf(e, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == dev && st.st_ino == ino;
}

void log_init(const char *program, int max_level)
{
	log_program = program;
	log_max_level = max_level;
	journal = stderr_is_journal();
}

int log_level(void)
{
	return log_max_level;
}

void log_set_level(int max_level)
{
	log_max_level = max_level;
}

void log_set_target(const char *target)
{
	journal =
		strcmp(target, "auto") == 0 ? stderr_is_journal() : strcmp(target, "journal") == 0;
}

bool log_to_journal(void)
{
	return journal;
}

void log_forward(void (*take)(int level, const char *line))
{
	forward = take;
}

static void log_write(int level, const char *line)
{
	if (forward) {
		forward(level, line);
		return;
	}
	if (journal && sd_journal_print(level, "%s", line) >= 0)
		return;
	if (level <= LOG_WARNING)
		fprintf(stderr, "%s: %s%s\n", log_program, level == LOG_WARNING ? "warning: " : "",
			line);
	else
		fprintf(stderr, "%s\n", line);
}

void log_capture(char *text, size_t size)
{
	assert(!text == (size == 0));
	captured.text = text;
	captured.size = size;
	if (text)
		*text = '\0';
}

void log_captured_only(void)
{
	captured_only = true;
}

struct log_capture log_captured(void)
{
	return captured;
}

void log_capture_for(struct log_capture other)
{
	captured = other;
}

static void capture(const char *line)
{
	const size_t used = strlen(captured.text);

	assert(used < captured.size);
	(void)text_format(captured.text + used, captured.size - used, "%s%s", used > 0 ? "; " : "",
			  line);
}

/* True when @line is kept for later. */
static bool hold_line(int level, const char *line)
{
	bool on;

	(void)pthread_mutex_lock(&held_lock);
	on = held.on;
	if (on && held.count == ARRAY_SIZE(held.line)) {
		held.lost++;
	} else if (on) {
		held.line[held.count].level = level;
		(void)text_copy(held.line[held.count].text, sizeof(held.line[0].text), line);
		held.count++;
	}
	(void)pthread_mutex_unlock(&held_lock);
	return on;
}

/* A line quotes paths, headers and other programs: it stays one line, and moves no cursor. */
static void log_line(int level, char *line)
{
	text_mask(line);
	if (captured.text && level <= LOG_ERR) {
		capture(line);
		level = captured_only ? LOG_DEBUG : level;
	}
	if (level <= log_max_level && !hold_line(level, line))
		log_write(level, line);
}

void log_hold(void)
{
	(void)pthread_mutex_lock(&held_lock);
	held.on = true;
	(void)pthread_mutex_unlock(&held_lock);
}

void log_release(void)
{
	unsigned lost;

	(void)pthread_mutex_lock(&held_lock);
	held.on = false;
	for (unsigned i = 0; i < held.count; i++)
		log_write(held.line[i].level, held.line[i].text);
	lost = held.lost;
	held.count = held.lost = 0;
	(void)pthread_mutex_unlock(&held_lock);
	if (lost > 0)
		log_warning("%u messages were lost while a hotzone was frozen", lost);
}

static bool is_wanted(int level)
{
	return level <= log_max_level || (captured.text && level <= LOG_ERR);
}

void log_message(int level, const char *format, ...)
{
	char line[2048];
	va_list ap;

	if (!is_wanted(level))
		return;
	va_start(ap, format);
	(void)text_vformat(line, sizeof(line), format, ap);
	va_end(ap);
	log_line(level, line);
}

int log_message_errno(int level, int error, const char *format, ...)
{
	char text[1792], line[2048];
	va_list ap;

	if (!is_wanted(level))
		return error;
	va_start(ap, format);
	(void)text_vformat(text, sizeof(text), format, ap);
	va_end(ap);
	(void)text_format(line, sizeof(line), "%s: %s", text, error_text(error));
	log_line(level, line);
	return error;
}
