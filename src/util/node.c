/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "util/node.h"

#include <stdio.h>
#include <sys/sysmacros.h>

struct node node_of(const struct stat *st)
{
	if (S_ISBLK(st->st_mode))
		return (struct node){.device = st->st_rdev};
	return (struct node){.device = st->st_dev, .inode = st->st_ino};
}

bool node_is_known(struct node n)
{
	return n.device != 0 || n.inode != 0;
}

bool node_is_block(struct node n)
{
	return node_is_known(n) && n.inode == 0;
}

bool node_equal(struct node a, struct node b)
{
	return node_is_known(a) && a.device == b.device && a.inode == b.inode;
}

const char *node_text(struct node n, char text[static NODE_TEXT_SIZE])
{
	const unsigned major_number = major(n.device), minor_number = minor(n.device);

	if (n.inode == 0)
		(void)snprintf(text, NODE_TEXT_SIZE, "device %u:%u", major_number, minor_number);
	else
		(void)snprintf(text, NODE_TEXT_SIZE, "inode %llu on device %u:%u",
			       (unsigned long long)n.inode, major_number, minor_number);
	return text;
}
