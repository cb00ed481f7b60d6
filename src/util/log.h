/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Messages for people: to standard error, or to the journal when standard error is connected to
 * it. Nothing that is secret may ever be an argument here. Text that a message quotes may be
 * anything: the message is made valid UTF-8 without control characters (util/text.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <syslog.h>

/*
 * @program prefixes messages on standard error. Messages above @max_level (LOG_ERR: only errors, to
 * LOG_DEBUG: all) are not shown.
 */
void log_init(const char *program, int max_level);

/* Changed while running. Levels are those of syslog(3). */
int log_level(void);
void log_set_level(int max_level);

/* "journal", "console", or "auto": the journal where standard error is connected to it. */
void log_set_target(const char *target);
bool log_to_journal(void);

/*
 * From log_hold() to log_release() messages are kept in memory, a few of them (how many more there
 * were is said): for the time in which writing one could wait for something that waits for us.
 */
void log_hold(void);
void log_release(void);

/*
 * Puts the errors of this thread into @text as well, from the start of @size bytes, with "; "
 * between them; for an answer to somebody who does not see the log. NULL ends it. @text stays the
 * caller's, and is valid UTF-8 however it is cut.
 */
void log_capture(char *text, size_t size);

/*
 * From here on, errors that are captured are written as debugging only: the one who gets the answer
 * says what is worth a line.
 */
void log_captured_only(void);

struct log_capture {
	char *text;
	size_t size;
};

/*
 * For a thread that works for another, which waits for it: log_capture_for(), with what the other
 * one's log_captured() says, adds errors there from now on; {} ends it.
 */
struct log_capture log_captured(void);
void log_capture_for(struct log_capture other);

/*
 * Gives all messages of this process that the level lets through to @take, instead of writing them;
 * for a process whose parent writes them.
 */
void log_forward(void (*take)(int level, const char *line));

void log_message(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds ": <text of the error>" to the message and returns @error (a negative errno). */
int log_message_errno(int level, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...) log_message(LOG_ERR, __VA_ARGS__)
/* For an @e that is only there for the caller and would tell the user nothing; it is the value. */
#define log_refusal(e, ...)       (log_error(__VA_ARGS__), (e))
#define log_warning(...)          log_message(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)           log_message(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)             log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...)            log_message(LOG_DEBUG, __VA_ARGS__)
#define log_error_errno(e, ...)   log_message_errno(LOG_ERR, e, __VA_ARGS__)
#define log_warning_errno(e, ...) log_message_errno(LOG_WARNING, e, __VA_ARGS__)
