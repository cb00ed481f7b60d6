/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/context.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "luks/key-ring.h"
#include "luks/settle.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/log.h"
#include "util/text.h"

/* libcryptsetup has one log for the whole process, and so have we. */
static char last_error[512];

/* The name that a file had when it was found is better for people than that of its descriptor. */
static void name_file(const char *message, int n, char *out, size_t size)
{
	char text[sizeof(last_error)], name[PATH_MAX];
	const char *begin, *end;
	int fd;

	(void)text_format(text, sizeof(text), "%.*s", n, message);
	begin = strstr(text, FILE_PATH_PREFIX);
	fd = begin ? file_path_fd(begin, &end) : -1;
	if (fd < 0 || file_name(fd, name) < 0)
		(void)text_format(out, size, "%s", text);
	else
		(void)text_format(out, size, "%.*s%s%s", (int)(begin - text), text, name, end);
}

static void forward_message(int level, const char *message, void *arg)
{
	char text[sizeof(last_error)];

	(void)arg;
	name_file(message, (int)strcspn(message, "\n"), text, sizeof(text));
	if (level == CRYPT_LOG_ERROR)
		memcpy(last_error, text, sizeof(last_error));
	log_debug("libcryptsetup: %s", text);
}

const char *luks_context_error(void)
{
	return last_error;
}

void luks_context_capture_log(void)
{
	crypt_set_log_callback(NULL, forward_message, NULL);
	last_error[0] = '\0';
}

/* The reason why libcryptsetup cannot even start is better told by open(2). */
static int check_readable(const struct found_file *f)
{
	_cleanup_close_ int fd = file_open(f->fd, O_RDONLY | O_NONBLOCK);

	if (fd < 0) {
		log_error_errno(fd, "%s: cannot be opened", f->path);
		return fd == -ENOENT || fd == -ENXIO ? -ENODEV : fd;
	}
	return 0;
}

static int load_header(struct crypt_device *cd, const char *path)
{
	int r;

	r = crypt_load(cd, CRYPT_LUKS, NULL);
	if (r == -EINVAL || r == -ENOENT) {
		log_error("%s: not a LUKS2 volume, or no copy of its header is whole%s%s", path,
			  *last_error ? ": " : "", last_error);
		return -EINVAL;
	}
	if (r < 0) {
		log_error("%s: cannot load the LUKS2 header: %s", path,
			  *last_error ? last_error : error_text(r));
		return r;
	}
	if (strcmp(crypt_get_type(cd), CRYPT_LUKS2) != 0) {
		log_error("%s: is LUKS1; convert it first with: cryptsetup convert --type luks2 %s",
			  path, path);
		return -ENOTSUP;
	}
	return 0;
}

/* libcryptsetup takes one path for "the header is on the device", and two for a detached one. */
static bool is_one_file(const struct luks_place *p)
{
	return file_is_same(&p->data.identity, &p->header.identity);
}

/*
 * crypt_load() replaces an older or bad header copy with the newer one, without a flush before. The
 * program that wrote the newer one may have been killed before its own flush. Both copies would
 * then be in the disk's cache, and a power cut could tear both. So the header is settled first.
 */
static int settle_place(const struct luks_place *place)
{
	int r = check_readable(&place->data);

	if (r < 0)
		return r;
	if (place->detached) {
		r = check_readable(&place->header);
		if (r < 0)
			return r;
	}
	return luks_settle(&place->header);
}

int luks_context_open(const struct luks_place *place, struct crypt_device **ret)
{
	_cleanup_(luks_context_closep) struct crypt_device *cd = NULL;
	const int header_fd = is_one_file(place) ? place->data.fd : place->header.fd;
	char data[FILE_PATH_SIZE], header[FILE_PATH_SIZE];
	int r;

	assert(place->data.fd >= 0 && place->header.fd >= 0);
	r = settle_place(place);
	if (r < 0)
		return r;
	luks_context_capture_log();
	r = crypt_init_data_device(&cd, file_path(header_fd, header),
				   file_path(place->data.fd, data));
	if (r < 0) {
		log_error("%s: %s", place->data.path, *last_error ? last_error : error_text(r));
		return r;
	}
	crypt_set_log_callback(cd, forward_message, NULL);
	r = load_header(cd, place->header.path);
	if (r < 0)
		return r;
	r = luks_place_check_same(place);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(cd);
	return 0;
}

static int take_file(const char *name, struct found_file *ret)
{
	struct found_file f = FOUND_FILE_NONE;
	const int fd = name ? file_path_fd(name, NULL) : -1;
	char path[PATH_MAX];
	int r;

	if (fd < 0)
		return -EINVAL;
	r = file_name(fd, path);
	if (r < 0)
		return r;
	r = file_identify(fd, &f.identity);
	if (r < 0)
		return r;
	f.fd = fd;
	f.path = path;
	return found_file_copy(&f, ret);
}

static int take_files(const char *data, const char *header, struct luks_place *p)
{
	int r = take_file(data, &p->data);

	return r < 0 ? r : take_file(header ?: data, &p->header);
}

int luks_context_place(struct crypt_device *cd, struct luks_place *ret)
{
	const char *data = crypt_get_device_name(cd), *header = crypt_get_metadata_device_name(cd);
	struct luks_place p = LUKS_PLACE_NONE;
	int r = take_files(data, header, &p);

	if (r < 0) {
		luks_place_clear(&p);
		return r;
	}
	p.detached = header && strcmp(header, data) != 0;
	*ret = p;
	return 0;
}

struct crypt_device *luks_context_close(struct crypt_device *cd)
{
	crypt_free(cd);
	return NULL;
}

int luks_token_passphrase(struct crypt_device *cd, int token, struct secret **ret)
{
	struct crypt_token_params_luks2_keyring params;

	if (crypt_token_luks2_keyring_get(cd, token, &params) < 0)
		return -EINVAL;
	return luks_keyring_passphrase(params.key_description, ret);
}
