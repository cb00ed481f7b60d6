/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Progress on standard output: one line that is rewritten on a terminal, lines otherwise, or JSON
 * with the keys that cryptsetup has.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
	FILE *out;
	const char *device;  /* named in JSON */
	uint64_t size;       /* bytes in all */
	unsigned frequency;  /* seconds between lines, 0: rewritten line or every half second */
	bool json, terminal; /* terminal: rewrite the line */
	/* As somebody tells who knows better than a mean since the start; 0: nobody does. */
	uint64_t rate, left_usec;
	/* Of the meter itself; microseconds, bytes. */
	bool started, line_open, ended;
	uint64_t start_usec, last_usec, start_bytes;
};

/* The figures of one line. */
struct progress_figures {
	uint64_t bytes, size;
	uint64_t speed; /* bytes per second since the start of this run */
	uint64_t eta_usec;
	uint64_t elapsed_usec;
};

/*
 * Prints when a line is due. @bytes are done in all (not only in this run), @now_usec is monotonic.
 * The first call only starts the clock; @bytes == size prints the final line, once.
 */
void progress_update(struct progress *p, uint64_t bytes, uint64_t now_usec);

/* Ends a line that is still open on the terminal, so that other output starts at its left edge. */
void progress_break(struct progress *p);

/* Pure: the texts without a newline. -ENOSPC when @size is too small. */
int progress_format(const struct progress_figures *f, bool final, char *buf, size_t size);
int progress_format_json(const struct progress_figures *f, const char *device, char *buf,
			 size_t size);
