/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The locks by which cryptsetup and we keep out of each other's way: flock(2) on files below
 * /run/cryptsetup, or on the header file itself.
 *
 * The lock of the metadata is short: SHARED around a header read, EXCLUSIVE around [area write +]
 * commit. It is waited for, but not for ever, since a process that has it may be stopped. The lock
 * of the re-encryption is long, the whole run and recovery, and is not waited for.
 *
 * flock belongs to the open file: a libcryptsetup call that takes the metadata lock while we hold
 * it waits for ever, and one that takes the reencryption lock gets -EBUSY.
 */
#pragma once

#include "util/cleanup.h"

enum luks_lock_mode { LUKS_LOCK_SHARED, LUKS_LOCK_EXCLUSIVE };

struct luks_lock;

/* -EBUSY: held by another process. -EINVAL: @uuid is no file name. -EPERM: unsafe lock directory.
 */
int luks_lock_reencryption(const char *uuid, struct luks_lock **ret);

/*
 * @fd is the open metadata device, whose major:minor names the lock, or the header file, which is
 * itself locked. -EBUSY: another process has it for ten seconds.
 */
int luks_lock_metadata(int fd, enum luks_lock_mode mode, struct luks_lock **ret);

/* The same, but waits as long as it takes: in the middle of a run there is nothing else to do. */
int luks_lock_metadata_patiently(int fd, enum luks_lock_mode mode, struct luks_lock **ret);

/* Why luks_lock_metadata() failed with @error, for people. */
const char *luks_lock_why(int error);

/* Releases; takes the lock file away when nobody else wants it. */
struct luks_lock *luks_lock_free(struct luks_lock *lock);
DEFINE_CLEANUP(struct luks_lock, luks_lock_free)
