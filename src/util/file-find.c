/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Following a name by hand, a component at a time: each is opened without following it, judged, and
 * what is opened next is opened in it. So nobody can exchange what was judged.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/file.h"

#define LINKS_MAX 40 /* as the kernel */

struct tree_walk {
	int fd; /* where we are: O_PATH */
	struct stat st;
	char path[PATH_MAX]; /* its name; "" is the root directory */
	char rest[PATH_MAX]; /* what is still to be followed from there */
	unsigned links;
	uid_t user;
	struct file_doubt *doubt;
};

static const char *name_of(const char *path)
{
	return *path ? path : "/";
}

/* The first doubt is told: it lies nearest to the root directory. */
static void doubt(struct tree_walk *w, const char *what, const char *path, const struct stat *st)
{
	if (*w->doubt->text)
		return;
	(void)snprintf(w->doubt->text, sizeof(w->doubt->text),
		       "other users can %s (%.300s has mode %04o and owner %u)", what,
		       name_of(path), st->st_mode & 07777, (unsigned)st->st_uid);
}

static int go_to_root(struct tree_walk *w)
{
	const int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	cleanup_close(&w->fd);
	w->fd = fd;
	w->path[0] = '\0';
	return fstat(fd, &w->st) < 0 ? -errno : 0;
}

static int set_rest(struct tree_walk *w, const char *first, const char *between, const char *then)
{
	char rest[PATH_MAX];

	if ((size_t)snprintf(rest, sizeof(rest), "%s%s%s", first, between, then) >= sizeof(rest))
		return -ENAMETOOLONG;
	memcpy(w->rest, rest, sizeof(rest));
	return 0;
}

/* A relative name begins where we are; the way there is judged, too. */
static int start_walk(struct tree_walk *w, const char *path)
{
	char here[PATH_MAX];
	int r = go_to_root(w);

	if (r < 0)
		return r;
	if (*path == '\0')
		return -ENOENT;
	if (*path == '/')
		return set_rest(w, path, "", "");
	if (!getcwd(here, sizeof(here)))
		return -errno;
	return *here == '/' ? set_rest(w, here, "/", path) : -ENOENT;
}

/*
 * Takes the next component from the rest, which is empty or begins with a slash then. @ret is empty
 * where there is none; a slash at the end is good for a directory only.
 */
static int take_component(struct tree_walk *w, char ret[static NAME_MAX + 1])
{
	const char *begin = w->rest + strspn(w->rest, "/");
	const size_t n = strcspn(begin, "/");

	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	if (n == 0 && *w->rest && !S_ISDIR(w->st.st_mode))
		return -ENOTDIR;
	memcpy(ret, begin, n);
	ret[n] = '\0';
	memmove(w->rest, begin + n, strlen(begin + n) + 1);
	assert(*w->rest == '\0' || *w->rest == '/');
	return 0;
}

/*
 * Asked for a directory first, as that has the kernel mount what is to be mounted there
 * automatically.
 */
static int open_component(int directory, const char *name)
{
	const int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(directory, name, flags | O_DIRECTORY);

	if (fd < 0 && errno == ENOTDIR)
		fd = openat(directory, name, flags);
	return fd < 0 ? -errno : fd;
}

static int follow_link(struct tree_walk *w, int fd)
{
	char target[PATH_MAX];
	const ssize_t n = readlinkat(fd, "", target, sizeof(target));
	int r;

	if (n < 0)
		return -errno;
	if (n == 0 || (size_t)n == sizeof(target))
		return n == 0 ? -ENOENT : -ENAMETOOLONG;
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	target[n] = '\0';
	r = set_rest(w, target, "", w->rest);
	return r < 0 || *target != '/' ? r : go_to_root(w);
}

static int refuse_link(const char *path, const struct stat *link, struct file_doubt *why)
{
	(void)snprintf(why->text, sizeof(why->text),
		       "other users control the link %.300s (its owner is %u); name what it leads "
		       "to",
		       path, (unsigned)link->st_uid);
	return -EACCES;
}

static int append_name(char path[static PATH_MAX], const char *directory, const char *name)
{
	return snprintf(path, PATH_MAX, "%s/%s", directory, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static void move_to(struct tree_walk *w, int fd, const struct stat *st, const char *path)
{
	cleanup_close(&w->fd);
	w->fd = fd;
	w->st = *st;
	memmove(w->path, path, strlen(path) + 1);
}

static int go_up(struct tree_walk *w)
{
	_cleanup_close_ int fd = openat(w->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	char *end = strrchr(w->path, '/');

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (end)
		*end = '\0';
	move_to(w, TAKE_FD(fd), &st, w->path);
	return 0;
}

static int step_into(struct tree_walk *w, const char *name, struct file_doubt *why)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	struct stat st;
	bool safe;
	int r;

	if (!S_ISDIR(w->st.st_mode))
		return -ENOTDIR;
	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0)
		return go_up(w);
	fd = open_component(w->fd, name);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	r = append_name(path, w->path, name);
	if (r < 0)
		return r;
	safe = file_entry_is_safe(&w->st, &st, w->user);
	if (S_ISLNK(st.st_mode))
		return safe ? follow_link(w, fd) : refuse_link(path, &st, why);
	if (!file_directory_is_safe(&w->st, w->user))
		doubt(w, "replace it", w->path, &w->st);
	else if (!safe)
		doubt(w, "replace it or write to it under another name", path, &st);
	move_to(w, TAKE_FD(fd), &st, path);
	return 0;
}

static int walk_on(struct tree_walk *w, struct file_doubt *why)
{
	char name[NAME_MAX + 1];

	for (;;) {
		int r = take_component(w, name);

		if (r < 0 || *name == '\0')
			return r;
		r = step_into(w, name, why);
		if (r < 0)
			return r;
	}
}

static int hand_out(struct tree_walk *w, struct found_file *f)
{
	_cleanup_free_ char *path = NULL;

	assert(f->fd < 0 && !f->path);
	path = strdup(name_of(w->path));
	if (!path)
		return -ENOMEM;
	f->fd = fcntl(w->fd, F_DUPFD_CLOEXEC, FILE_FD_MIN);
	if (f->fd < 0)
		return -errno;
	f->path = TAKE_PTR(path);
	if (!S_ISDIR(w->st.st_mode) && !file_is_private(&w->st, w->user))
		doubt(w, "write to it", w->path, &w->st);
	return 0;
}

static int find_by_walk(struct tree_walk *w, const char *path, struct found_file *f,
			struct file_doubt *why)
{
	int r = start_walk(w, path);

	if (r < 0)
		return r;
	r = walk_on(w, why);
	if (r < 0)
		return r;
	r = file_identify(w->fd, &f->identity);
	return r < 0 ? r : hand_out(w, f);
}

int file_find(const char *path, struct found_file *ret, struct file_doubt *why)
{
	struct found_file f = FOUND_FILE_NONE;
	_cleanup_free_ struct tree_walk *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	*w = (struct tree_walk){.fd = -1, .user = geteuid(), .doubt = &f.doubt};
	r = find_by_walk(w, path, &f, why);
	cleanup_close(&w->fd);
	if (r < 0)
		return r;
	*ret = f;
	return 0;
}
