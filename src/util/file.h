/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A name leads to another file as soon as somebody changes a link or a directory. So a name is
 * followed once, link by link, and from then on the file is what the descriptor leads to:
 *
 *   file_find()    name -> O_PATH descriptor, which opens nothing: its kind is known before
 *   file_open()    opens that very file, as often as needed
 *   file_path()    the same for a library that takes nothing but names
 *
 * Trusted are root and the user that runs this program. A directory is safe when a trusted user
 * owns it and no other user may write to it, or when it is sticky (/tmp), where others may add
 * files, but neither remove nor rename those of trusted users. Links count only when a trusted user
 * owns them and they lie in a safe directory, as with the kernel's fs.protected_symlinks.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "util/node.h"

/* What a file is, whatever its name. Plain data: it may be kept longer than any descriptor. */
struct file_identity {
	mode_t kind; /* S_IFREG, S_IFBLK, ... */
	struct node node;
	uint64_t since; /* tells one that took its place from it: time of birth, or the kernel's
			   sequence number of the disk; 0: not known */
};

/* Of the file that @fd (O_PATH will do) leads to. */
int file_identify(int fd, struct file_identity *ret);
bool file_is_same(const struct file_identity *a, const struct file_identity *b);

/* The number of a block device; 0: it is none. */
static inline dev_t file_block_device(const struct file_identity *f)
{
	return f->kind == S_IFBLK ? (dev_t)f->node.device : 0;
}

#define FILE_TEXT_SIZE (NODE_TEXT_SIZE + 40)

/* For messages: "device 8:16, disk number 7", "inode 12 on device 8:1". */
const char *file_text(const struct file_identity *f, char text[static FILE_TEXT_SIZE]);

struct file_doubt {
	char text[512]; /* "": none */
};

/* Lower ones are left for what a child process is handed. */
#define FILE_FD_MIN 10

struct found_file {
	int fd;     /* O_PATH; at least FILE_FD_MIN */
	char *path; /* the name without links: for messages, never for opening */
	struct file_identity identity;
	struct file_doubt doubt; /* how other users can change or replace the file */
};

#define FOUND_FILE_NONE                                                                            \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/*
 * Follows @path to its end. -EACCES: on the way there is a link that others control, which is never
 * followed: @why says which; else as open(2). That others can change the file is no error here, but
 * told in @ret.
 */
int file_find(const char *path, struct found_file *ret, struct file_doubt *why);
int found_file_copy(const struct found_file *f, struct found_file *ret);
void found_file_clear(struct found_file *f);

/* Opens the file that @fd leads to, with open(2)'s flags. */
int file_open(int fd, int flags);

#define FILE_PATH_PREFIX "/proc/self/fd/"
#define FILE_PATH_SIZE   32

/* A name for @fd that is good in this process while @fd is open. */
const char *file_path(int fd, char path[static FILE_PATH_SIZE]);

/* The descriptor of such a name, and what comes after it (NULL: nothing may); -1: it is none. */
int file_path_fd(const char *path, const char **ret_end);

/* What the kernel calls the file of @fd by now: for messages. */
int file_name(int fd, char name[static PATH_MAX]);

/*
 * The rule itself. Can other users than root and @user replace what is in @directory, @entry there
 * (a file of theirs in a sticky directory, or a hard link to a file of anybody's), or write to
 * @file? Of a block device the group may write to it: that is how the group "disk" works.
 */
bool file_directory_is_safe(const struct stat *directory, uid_t user);
bool file_entry_is_safe(const struct stat *directory, const struct stat *entry, uid_t user);
bool file_is_private(const struct stat *file, uid_t user);
