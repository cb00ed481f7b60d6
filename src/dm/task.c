/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dm/task.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <libdevmapper.h>
#include <linux/dm-ioctl.h>

#include "util/checked.h"
#include "util/log.h"

/* cipher, hex key, numbers and options of a dm-crypt line; the longest is under 600 bytes */
#define CRYPT_PARAMS_MAX  1024
#define LINEAR_PARAMS_MAX 64

/* Helpers are nobody's business: no probing, no links by content. */
#define PRIVATE_UDEV_FLAGS                                                                         \
	(DM_UDEV_DISABLE_LIBRARY_FALLBACK | DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG |                 \
	 DM_UDEV_DISABLE_DISK_RULES_FLAG | DM_UDEV_DISABLE_OTHER_RULES_FLAG)

static void free_task(struct dm_task **t)
{
	if (*t)
		dm_task_destroy(*t);
}

#define _cleanup_task_ _cleanup_(free_task)

/* libdevmapper's debugging could show tables; its errors say which ioctl failed and nothing more.
 */
static void libdm_message(int level, const char *file, int line, int error, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

static void libdm_message(int level, const char *file, int line, int error, const char *format, ...)
{
	char text[512];
	va_list ap;

	(void)file;
	(void)line;
	(void)error;
	/* The upper bits are flags of the library's. */
	if ((level & 0x7) > LOG_WARNING)
		return;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_debug("libdevmapper: %s", text);
}

static int control_fd = -1;

static void do_init(void)
{
	char version[64];

	/* Names are the kernel's: the library would show "a\x2db" and "a-b" as one name. */
	(void)dm_set_name_mangling_mode(DM_STRING_MANGLING_NONE);
	/* Nothing is to be opened while a range is frozen. */
	dm_hold_control_dev(1);
	/* Where there is no node, the library makes it. */
	(void)dm_driver_version(version, sizeof(version));
	control_fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
}

static void init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	/* Each time, as libcryptsetup leaves the library's own function, which writes to stderr. */
	dm_log_with_errno_init(libdm_message);
	(void)pthread_once(&once, do_init);
}

static int new_task(int type, const char *name, struct dm_task **ret)
{
	_cleanup_task_ struct dm_task *t = NULL;

	init();
	t = dm_task_create(type);
	if (!t)
		return -EOPNOTSUPP;
	if (name && !dm_task_set_name(t, name))
		return -EINVAL;
	*ret = TAKE_PTR(t);
	return 0;
}

static int run_task(struct dm_task *t)
{
	int error;

	/* libcryptsetup may have been called since the task was made, and leaves its own. */
	dm_log_with_errno_init(libdm_message);
	if (dm_task_run(t))
		return 0;
	/* No number: the library could not reach the control node. */
	error = dm_task_get_errno(t);
	return error ? -error : -EOPNOTSUPP;
}

static int new_task_for(int type, dev_t device, struct dm_task **ret)
{
	_cleanup_task_ struct dm_task *t = NULL;
	int r = new_task(type, NULL, &t);

	if (r < 0)
		return r;
	if (!dm_task_set_major_minor(t, (int)major(device), (int)minor(device), 1))
		return -ENOMEM;
	*ret = TAKE_PTR(t);
	return 0;
}

static int run_info(struct dm_task *t, struct device_info *ret)
{
	struct dm_info info;
	const char *uuid;
	int r = run_task(t);

	if (r < 0)
		return r;
	if (!dm_task_get_info(t, &info))
		return -EIO;
	*ret = (struct device_info){
		.exists = info.exists,
		.suspended = info.suspended,
		.live_table = info.live_table,
		.inactive_table = info.inactive_table,
		.read_only = info.read_only,
		.open_count = info.open_count,
		.device = makedev(info.major, info.minor),
	};
	uuid = info.exists ? dm_task_get_uuid(t) : NULL;
	if (uuid)
		(void)snprintf(ret->uuid, sizeof(ret->uuid), "%s", uuid);
	return 0;
}

int task_info(const char *name, struct device_info *ret)
{
	_cleanup_task_ struct dm_task *t = NULL;
	int r = new_task(DM_DEVICE_INFO, name, &t);

	return r < 0 ? r : run_info(t, ret);
}

int task_info_of(dev_t device, struct device_info *ret)
{
	_cleanup_task_ struct dm_task *t = NULL;
	int r = new_task_for(DM_DEVICE_INFO, device, &t);

	return r < 0 ? r : run_info(t, ret);
}

/* Copies what the kernel said into memory that the table owns, and parses it there. */
static int parse_targets(struct dm_task *task, struct table *t)
{
	uint64_t start, size;
	char *type, *params;
	size_t used = 0, needed = 1;
	void *next = NULL;
	int r;

	do {
		next = dm_get_next_target(task, next, &start, &size, &type, &params);
		if (params)
			needed += strlen(params) + 1;
	} while (next);
	r = secret_new(needed, &t->text);
	if (r < 0)
		return r;
	do {
		struct target target;
		char *copy = (char *)t->text->data + used;

		next = dm_get_next_target(task, next, &start, &size, &type, &params);
		if (!type || !params)
			continue;
		used += strlen(params) + 1;
		strcpy(copy, params);
		r = target_parse(start, size, type, copy, &target);
		if (r < 0)
			return r;
		r = table_add(t, &target);
		if (r < 0)
			return r;
	} while (next);
	return 0;
}

static int run_table(struct dm_task *task, struct table *ret)
{
	_cleanup_table_ struct table t = {};
	int r;

	assert(!ret->text);
	if (!dm_task_secure_data(task))
		return -ENOMEM;
	r = run_task(task);
	if (r < 0)
		return r;
	r = parse_targets(task, &t);
	if (r < 0)
		return r;
	*ret = t;
	t.text = NULL;
	return 0;
}

int task_table(const char *name, struct table *ret)
{
	_cleanup_task_ struct dm_task *t = NULL;
	int r = new_task(DM_DEVICE_TABLE, name, &t);

	return r < 0 ? r : run_table(t, ret);
}

int task_table_of(dev_t device, struct table *ret)
{
	_cleanup_task_ struct dm_task *t = NULL;
	int r = new_task_for(DM_DEVICE_TABLE, device, &t);

	return r < 0 ? r : run_table(t, ret);
}

/* The table of another target could have a key. */
static int only_target(int type, dev_t device, const char *target, char *buf, size_t size)
{
	_cleanup_task_ struct dm_task *t = NULL;
	uint64_t start, length;
	char *found, *params;
	int r = new_task_for(type, device, &t);

	if (r < 0)
		return r;
	if (!dm_task_secure_data(t) || !dm_task_no_flush(t))
		return -ENOMEM;
	r = run_task(t);
	if (r < 0)
		return r == -ENXIO ? -ENODEV : r;
	if (dm_get_next_target(t, NULL, &start, &length, &found, &params) || !found || !params ||
	    strcmp(found, target) != 0)
		return -ENODEV;
	return (size_t)snprintf(buf, size, "%s", params) < size ? 0 : -ENOBUFS;
}

int task_target_params(dev_t device, const char *type, char *buf, size_t size)
{
	return only_target(DM_DEVICE_TABLE, device, type, buf, size);
}

int task_target_status(dev_t device, const char *type, char *buf, size_t size)
{
	return only_target(DM_DEVICE_STATUS, device, type, buf, size);
}

int task_message(dev_t device, const char *message)
{
	_cleanup_task_ struct dm_task *t = NULL;
	int r = new_task_for(DM_DEVICE_TARGET_MSG, device, &t);

	if (r < 0)
		return r;
	if (!dm_task_set_sector(t, 0) || !dm_task_set_message(t, message))
		return -ENOMEM;
	return run_task(t);
}

int task_check_target(const char *type)
{
	_cleanup_task_ struct dm_task *t = NULL;
	int r = new_task(DM_DEVICE_GET_TARGET_VERSION, type, &t);

	if (r < 0)
		return r;
	r = run_task(t);
	return r == -EINVAL ? -EOPNOTSUPP : r;
}

int task_list(int (*fn)(const char *name, dev_t device, void *arg), void *arg)
{
	_cleanup_task_ struct dm_task *t = NULL;
	const struct dm_names *n;
	int r = new_task(DM_DEVICE_LIST, NULL, &t);

	if (r < 0)
		return r;
	r = run_task(t);
	if (r < 0)
		return r;
	n = dm_task_get_names(t);
	if (!n || n->dev == 0)
		return 0;
	for (;;) {
		r = fn(n->name, (dev_t)n->dev, arg);
		if (r != 0 || n->next == 0)
			return r;
		n = (const void *)((const char *)n + n->next);
	}
}

int task_create(const char *name, const char *uuid)
{
	_cleanup_task_ struct dm_task *t = NULL;
	int r;

	assert(strlen(name) <= DM_NAME_MAX && strlen(uuid) <= DM_UUID_MAX);
	r = new_task(DM_DEVICE_CREATE, name, &t);
	if (r < 0)
		return r;
	if (!dm_task_set_uuid(t, uuid))
		return -EINVAL;
	return run_task(t);
}

/* The library wipes its own copies of the parameters when the task is freed. */
static int add_target(struct dm_task *task, const struct target *t)
{
	_cleanup_(secret_freep) struct secret *secret = NULL;
	char linear[LINEAR_PARAMS_MAX], *params = linear;
	size_t size = sizeof(linear);
	int r;

	if (t->type == TARGET_CRYPT) {
		r = secret_new(CRYPT_PARAMS_MAX, &secret);
		if (r < 0)
			return r;
		params = (char *)secret->data;
		size = secret->size;
	}
	r = target_format(t, params, size);
	if (r < 0)
		return r;
	if (!dm_task_add_target(task, t->start, t->size, target_type_name(t->type), params))
		return -ENOMEM;
	return 0;
}

int task_load(const char *name, const struct table *t)
{
	_cleanup_task_ struct dm_task *task = NULL;
	int r;

	assert(t->count > 0 && t->count <= TABLE_TARGETS_MAX);
	r = new_task(DM_DEVICE_RELOAD, name, &task);
	if (r < 0)
		return r;
	if (!dm_task_secure_data(task))
		return -ENOMEM;
	for (unsigned i = 0; i < t->count; i++) {
		r = add_target(task, &t->targets[i]);
		if (r < 0)
			return r;
	}
	return run_task(task);
}

int task_clear(const char *name)
{
	_cleanup_task_ struct dm_task *t = NULL;
	int r = new_task(DM_DEVICE_CLEAR, name, &t);

	return r < 0 ? r : run_task(t);
}

int task_suspend(const char *name)
{
	int r;

	/* A signal interrupts the wait for I/O in flight, and the kernel takes the suspend back. */
	do {
		_cleanup_task_ struct dm_task *t = NULL;

		r = new_task(DM_DEVICE_SUSPEND, name, &t);
		if (r < 0)
			return r;
		if (!dm_task_skip_lockfs(t))
			return -ENOMEM;
		r = run_task(t);
	} while (r == -EINTR);
	return r;
}

/*
 * The ioctl itself, see linux/dm-ioctl.h: the library would put a cookie into the event, and udev
 * then starts two processes for it, forgets what it was told of a helper, so that it probes it
 * (frozen or not), and can drop the links of a volume in use. An event without a cookie it takes
 * for one that nobody meant, and goes by what it was told at the start of the device.
 */
int task_resume(const char *name)
{
	struct dm_ioctl d;
	int r;

	init();
	do {
		d = (struct dm_ioctl){
			.version = {DM_VERSION_MAJOR},
			.data_size = sizeof(d),
			.flags = DM_SKIP_LOCKFS_FLAG,
		};
		if (strlen(name) >= sizeof(d.name))
			return -EINVAL;
		(void)snprintf(d.name, sizeof(d.name), "%s", name);
		r = ioctl(control_fd, DM_DEV_SUSPEND, &d) < 0 ? -errno : 0;
	} while (r == -EINTR);
	return r == -EBADF ? -EOPNOTSUPP : r;
}

/* Runs a task whose uevent udev has to see through; without udev the library makes the nodes. */
static int run_and_wait(struct dm_task *t)
{
	uint32_t cookie = 0;
	int r;

	if (!dm_task_set_cookie(t, &cookie, PRIVATE_UDEV_FLAGS))
		return -ENOMEM;
	r = run_task(t);
	/* Also after a failure: frees the semaphore behind the cookie. */
	if (!dm_udev_wait(cookie) && r == 0)
		r = -EIO;
	return r;
}

int task_start(const char *name)
{
	_cleanup_task_ struct dm_task *t = NULL;
	int r = new_task(DM_DEVICE_RESUME, name, &t);

	if (r < 0)
		return r;
	if (!dm_task_skip_lockfs(t))
		return -ENOMEM;
	return run_and_wait(t);
}

/* Without a cookie: udev has a queue for each device, and may not be through with its events. */
int task_remove(const char *name)
{
	_cleanup_task_ struct dm_task *t = NULL;
	int sync, r = new_task(DM_DEVICE_REMOVE, name, &t);

	if (r < 0)
		return r;
	/* Somebody who only looks (blkid) has it open for a moment. */
	if (!dm_task_retry_remove(t))
		return -ENOMEM;
	sync = dm_udev_get_sync_support();
	dm_udev_set_sync_support(0);
	r = run_task(t);
	dm_task_update_nodes(); /* the link, if udev has not seen to it yet */
	dm_udev_set_sync_support(sync);
	return r;
}

int task_remove_on_close(const char *name)
{
	_cleanup_task_ struct dm_task *t = NULL;
	int r = new_task(DM_DEVICE_REMOVE, name, &t);

	if (r < 0)
		return r;
	return dm_task_deferred_remove(t) ? run_task(t) : -ENOMEM;
}
