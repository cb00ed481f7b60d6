/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A process that reads one small file for the manager, whose event loop must not: a file on a mount
 * that does not answer would stop it. It answers on a pipe and ends; the manager kills it when that
 * takes too long.
 */
#pragma once

#include <stdint.h>

/* recrypt-worker READ_FILE_VERB PATH */
#define READ_FILE_VERB "read-file"

/* Bytes. */
#define READ_FILE_MAX ((uint32_t)1 << 20)

/* On CHILD_OUTPUT_FD, and then the content; or, where error is not 0, the reason as a text. */
struct read_file_frame {
	int32_t error; /* 0 or a negative errno */
	uint32_t size; /* bytes that follow, READ_FILE_MAX at most */
};

int read_file_main(int argc, char **argv);
