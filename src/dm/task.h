/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One device-mapper ioctl, one function. Suspending and resuming never syncs the file system above,
 * never waits for udev, and touches no file: the root file system may be on the device. Only
 * task_start(), for helpers that nobody uses yet, waits for udev.
 *
 * All return 0 or what the ioctl failed with; -EOPNOTSUPP where the kernel has no device-mapper.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "dm/table.h"

/* Without the terminator; linux/dm-ioctl.h. */
#define DM_NAME_MAX 127
#define DM_UUID_MAX 128

struct device_info {
	bool exists, suspended, live_table, inactive_table, read_only;
	int open_count;
	dev_t device;
	char uuid[DM_UUID_MAX + 1];
};

/* A device that does not exist is no error, but @ret->exists is false. */
int task_info(const char *name, struct device_info *ret);
int task_info_of(dev_t device, struct device_info *ret);

/*
 * The live table. @ret owns no text yet. -EBADMSG, -EOPNOTSUPP, -E2BIG: not a table of ours (see
 * target_parse()).
 */
int task_table(const char *name, struct table *ret);
int task_table_of(dev_t device, struct table *ret);

/*
 * What the kernel says of the only target of @device: its parameters, or its state, without that
 * anything is flushed for it. -ENODEV: is no device of the device-mapper, or not a target of @type;
 * -ENOBUFS: does not fit.
 */
int task_target_params(dev_t device, const char *type, char *buf, size_t size);
int task_target_status(dev_t device, const char *type, char *buf, size_t size);

/* To the target that starts at sector 0. */
int task_message(dev_t device, const char *message);

/* Has the kernel the target type @type (modules are loaded)? -EOPNOTSUPP: no, or the kernel has no
 * device-mapper. */
int task_check_target(const char *type);

/*
 * Calls @fn with the name of every device, in the bytes that the kernel has, and its number; what
 * @fn returns other than 0 ends it.
 */
int task_list(int (*fn)(const char *name, dev_t device, void *arg), void *arg);

/* A device with no table yet. */
int task_create(const char *name, const char *uuid);

/* Makes @t, which has targets, the inactive table, in place of an earlier one. */
int task_load(const char *name, const struct table *t);

/* Drops the inactive table. */
int task_clear(const char *name);

/* New I/O waits; returns when none is in flight. */
int task_suspend(const char *name);

/* Brings the inactive table to life, if there is one, suspending first if need be, and lets I/O go.
 */
int task_resume(const char *name);

/* The first task_resume() of a helper: tells udev to leave it alone, and waits until it has. */
int task_start(const char *name);

/* -EBUSY: in use. */
int task_remove(const char *name);

/* Removes it as soon as the last who has it open closes it, be it by dying. */
int task_remove_on_close(const char *name);
