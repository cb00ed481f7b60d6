/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Numbers of jobs, which never repeat on a host: who still has the path of a job of an earlier
 * manager must not take another one for it. A file of the state directory says up to where numbers
 * may have been given out; it is written ahead, for many numbers at a time.
 */
#pragma once

#include <stdint.h>

struct job_numbers {
	char *path; /* NULL: nothing is remembered */
	uint64_t last, reserved;
};

/* @dir: of the state; NULL: none. A file that cannot be read makes the numbers begin with the
 * clock's seconds, more than a host has jobs. -ENOMEM. */
int job_numbers_init(struct job_numbers *n, const char *dir);
void job_numbers_clear(struct job_numbers *n);

/* From 1. Logs where it cannot be remembered. */
uint64_t job_numbers_next(struct job_numbers *n);
/* A number that was given, as another file says. */
void job_numbers_seen(struct job_numbers *n, uint64_t number);
