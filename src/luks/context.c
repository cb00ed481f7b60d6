/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/context.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "luks/settle.h"
#include "util/checked.h"
#include "util/log.h"
#include "util/text.h"

/* libcryptsetup has one log for the whole process, and so have we. */
static char last_error[512];

static void forward_message(int level, const char *message, void *arg)
{
	const int n = (int)strcspn(message, "\n");

	(void)arg;
	if (level == CRYPT_LOG_ERROR)
		(void)text_format(last_error, sizeof(last_error), "%.*s", n, message);
	log_debug("libcryptsetup: %.*s", n, message);
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
static int check_readable(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		int r = errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;

		log_error_errno(-errno, "%s: cannot be opened", path);
		return r;
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
			  *last_error ? last_error : strerrordesc_np(-r));
		return r;
	}
	if (strcmp(crypt_get_type(cd), CRYPT_LUKS2) != 0) {
		log_error("%s: is LUKS1; convert it first with: cryptsetup convert --type luks2 %s",
			  path, path);
		return -ENOTSUP;
	}
	return 0;
}

int luks_context_open(const char *device, const char *header, struct crypt_device **ret)
{
	_cleanup_(luks_context_closep) struct crypt_device *cd = NULL;
	int r;

	r = check_readable(device);
	if (r == 0 && header)
		r = check_readable(header);
	/*
	 * crypt_load() replaces an older or bad header copy with the newer one, without a flush
	 * before. The program that wrote the newer one may have been killed before its own flush.
	 * Both copies would then be in the disk's cache, and a power cut could tear both.
	 */
	if (r == 0)
		r = luks_settle(header ? header : device);
	if (r < 0)
		return r;
	luks_context_capture_log();
	r = crypt_init_data_device(&cd, header ? header : device, device);
	if (r < 0) {
		log_error("%s: %s", device, *last_error ? last_error : strerrordesc_np(-r));
		return r;
	}
	crypt_set_log_callback(cd, forward_message, NULL);
	r = load_header(cd, header ? header : device);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(cd);
	return 0;
}

struct crypt_device *luks_context_close(struct crypt_device *cd)
{
	crypt_free(cd);
	return NULL;
}

/* keyctl(KEYCTL_READ): copies what fits and returns the whole size. */
static long read_key(long key, void *buf, size_t size)
{
	return syscall(SYS_keyctl, (unsigned long)KEYCTL_READ, key, buf, size, 0UL);
}

int luks_keyring_passphrase(const char *description, struct secret **ret)
{
	_cleanup_(secret_freep) struct secret *s = NULL;
	const long key = syscall(SYS_request_key, "user", description, NULL, 0L);
	long size;
	int r;

	if (key < 0)
		return -ENOKEY;
	size = read_key(key, NULL, 0);
	if (size <= 0)
		return size < 0 ? -errno : -ENOKEY;
	r = secret_new((size_t)size, &s);
	if (r < 0)
		return r;
	if (read_key(key, s->data, s->size) != size)
		return -EAGAIN;
	*ret = TAKE_PTR(s);
	return 0;
}

int luks_token_passphrase(struct crypt_device *cd, int token, struct secret **ret)
{
	struct crypt_token_params_luks2_keyring params;

	if (crypt_token_luks2_keyring_get(cd, token, &params) < 0)
		return -EINVAL;
	return luks_keyring_passphrase(params.key_description, ret);
}
