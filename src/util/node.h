/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which file or block device a path leads to. Tomorrow the same path may lead to another one, and
 * two paths may lead to the same one, so nodes are compared and not paths.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct node {
	uint64_t device; /* a block device: its own number; a file: that of its file system */
	uint64_t inode;  /* a block device: 0 */
};

struct node node_of(const struct stat *st);

/* False for one that nobody has told. */
bool node_is_known(struct node n);
bool node_is_block(struct node n);

/* Two that are known; false where one is not. */
bool node_equal(struct node a, struct node b);

#define NODE_TEXT_SIZE 64

/* For messages: "device 8:16", "inode 12 on device 8:1". */
const char *node_text(struct node n, char text[static NODE_TEXT_SIZE]);
