/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads a file that the configuration names. The manager makes no system call on such a name, since
 * one on a mount that does not answer never returns: a process reads the file, for as long as
 * ProbeTimeout= allows, and its answer comes in the event loop.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "daemon/workers/stuck.h"
#include "util/cleanup.h"

struct file_reader;

struct file_answer {
	const char *path;   /* as it was asked for */
	int error;          /* 0 or a negative errno; -ENOENT: there is no such file */
	const char *reason; /* for people; "" without an error */
	char *text;         /* the content, with a '\0' behind it; may be changed */
	size_t size;        /* bytes of it; there may be others that are 0 among them */
};

/* Comes once. @a is good during the call, and the reader may be freed at its end. */
typedef void (*file_reader_done_t)(void *userdata, const struct file_answer *a);

/* Who reads: in which loop, where a process that hangs is counted, and how long it may take. */
struct file_reading {
	sd_event *event;
	struct stuck *stuck;
	uint64_t timeout_usec;
};

/* Begins; @done comes later, in the loop. @path is copied. */
int file_reader_new(const struct file_reading *by, const char *path, file_reader_done_t done,
		    void *userdata, struct file_reader **ret);

/* Kills the process if it has not answered yet. */
struct file_reader *file_reader_free(struct file_reader *f);
DEFINE_CLEANUP(struct file_reader, file_reader_free)
