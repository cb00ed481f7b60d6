/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The device stack of a volume that is re-encrypted while in use.
 *
 *    /dev/mapper/NAME             linear, stays as it is
 *       NAME-pieces-overlay       linear pieces, reloaded once per hotzone
 *          |-- converted part     -> NAME-new               crypt, new key, whole volume
 *          |-- hotzone            -> NAME-hotzone-overlay   suspended while converted: I/O waits
 *          |-- unconverted part   -> NAME-old               crypt, old key, whole volume
 *
 * Helpers of a NAME that is too long, or is escaped by device-mapper's tools, are named otherwise
 * (names.h).
 *
 * The hotzone device is linear over NAME-new or NAME-old, also for the whole volume. All helpers
 * carry dm UUIDs "CRYPT-SUBDEV-<uuid>-<dm name>", and "-overlay" is the name that cryptsetup's
 * close looks for when it frees a suspended helper, so `cryptsetup close NAME` cleans up after us.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/secret.h"

/* How one side is mapped; @key stays the caller's and must outlive the stack. */
struct stack_side {
	const char *cipher; /* "aes-xts-plain64" */
	const struct secret *key;
	uint32_t sector_size; /* bytes */
	unsigned digest;      /* LUKS2 digest id, part of the kernel key's description */
};

struct stack_config {
	const char *name;     /* dm name of the active volume */
	const char *uuid;     /* LUKS2 UUID, with dashes */
	dev_t data_device;    /* what the data lies on; 0: no block device */
	uint64_t data_offset; /* bytes */
	uint64_t size;        /* bytes of data */
	bool backward;
	/* All is converted and @old_side unknown by now (set it as @new_side): only to dissolve. */
	bool finished;
	/* A worker may have let a hotzone go, once its data was durable, and left the header hot.
	 */
	bool may_be_thawed;
	struct stack_side old_side, new_side;
};

/*
 * Where the header says the conversion stands: the edge between converted and unconverted data, and
 * the bytes of the hotzone on its unconverted side (0: clean).
 */
struct stack_position {
	uint64_t boundary, hotzone_size;
};

struct stack;

/* Where the live volume shows as plaintext what lies under one side's key; bytes of the data. */
struct stack_view {
	dev_t device; /* 0: nothing, or what a read might wait for */
	uint64_t start, size;
};

/*
 * Where the live table of cryptsetup's own stack under NAME, with the LUKS2 UUID @uuid, says that
 * cryptsetup stands. @ret->hotzone_size is 0 where it has no hotzone, and the hotzone begins at
 * @ret->boundary in either direction. Changes nothing. -ENOENT: NAME has no such stack; other
 * errors: it has one, but its table does not tell.
 */
int stack_stock_position(const char *name, const char *uuid, struct stack_position *ret);

/*
 * Could the stack be put under NAME, which has none and whose header has no re-encryption? Needs no
 * keys and changes nothing. The errors are those of stack_new().
 */
int stack_check(const struct stack_config *config);

/*
 * What stack_new() checks before it changes anything, and whether the kernel's keyring has room for
 * the keys (-EDQUOT). A key in the keyring is known by its description only, which says nothing of
 * its bytes: a caller that reads @ret_old and @ret_new can compare those. Of a stack that a dead
 * worker left they are its crypt devices, in which no I/O waits.
 */
int stack_try(const struct stack_config *config, const struct stack_position *now,
	      struct stack_view *ret_old, struct stack_view *ret_new);

/*
 * Puts the stack under NAME, whose header stands at @now. Where a dead worker left one, it is taken
 * over: a hot @now needs its hotzone frozen already (-EUNATCH otherwise, with nothing changed) and
 * leaves it frozen until stack_thaw(); a clean one is thawed. Where the dead worker had let the
 * hotzone go, stack_is_thawed() says so, and the stack stands as with a clean header behind it.
 *
 * -ENODEV: no active volume NAME. -ENOTUNIQ: NAME is another volume, or its live table is not what
 * the header describes. -ERROR_OTHER_KEY: all but the key of that table is. -EBUSY: NAME is
 * suspended, has a stack that is not ours (cryptsetup's own re-encryption), or a helper's name is
 * taken. -EOPNOTSUPP: the mapping has options that we cannot keep, or the kernel has no
 * device-mapper. -EROFS, -ENOTBLK, -EINVAL, -ENAMETOOLONG: of the arguments.
 */
int stack_new(const struct stack_config *config, const struct stack_position *now,
	      struct stack **ret);

/* Only frees memory: the devices stay as they are. */
struct stack *stack_free(struct stack *s);
DEFINE_CLEANUP(struct stack, stack_free)

/*
 * I/O to [offset, offset + size) (bytes from the start of the data) waits from now on, and none is
 * in flight. So does every flush of the volume, which the kernel sends to all that NAME lies on.
 * One range at a time; must lie at the boundary (-EINVAL). On failure everything is as before.
 */
int stack_freeze(struct stack *s, uint64_t offset, uint64_t size);

/*
 * Lets the waiting I/O go, to the side where the data is when the edge stands at @boundary, inside
 * the frozen range or at one of its ends. Also brings back what stack_fail() gave up. On failure
 * the range is as before.
 */
int stack_thaw(struct stack *s, uint64_t boundary);

/* Gives the frozen range up: its I/O gets EIO, everything else goes on. */
int stack_fail(struct stack *s);

/*
 * Back to the table that `cryptsetup open` would make with the edge at @boundary (both sides, or
 * one where nothing is left of the other), with the helpers removed.
 */
int stack_dissolve(struct stack *s, uint64_t boundary);

/* Was the hotzone of the hot position that stack_new() got let go, and so is converted? */
bool stack_is_thawed(const struct stack *s);

/* The dm name of the helper that has the whole volume as plaintext under one side's key. */
const char *stack_side_name(const struct stack *s, bool new_side);
