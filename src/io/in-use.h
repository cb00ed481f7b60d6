/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who else uses the bytes of a file or block device. The kernel knows the users of a block device
 * (O_EXCL), but only of that device: a file has none, and neither have the bytes that several loop
 * devices share.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct loop_claim {
	dev_t device;
	int fd; /* open with O_EXCL */
};

/* Loop devices that nobody else can mount or map as long as we have them. */
struct loop_claims {
	size_t n;
	struct loop_claim *loop;
};

/* For a message; what names come from sysfs are the kernel's. */
struct use_reason {
	char text[256];
};

/*
 * Claims each loop device that shares a byte with the file or block device @fd, but @fd itself, and
 * has it write out and forget what it caches. Those in @claims already are ours. On failure @claims
 * may have grown, and @why says:
 *
 *   -EBUSY    which loop device is mounted, mapped or claimed by somebody
 *   -ENODATA  why it cannot be told (no sysfs, a device node that cannot be opened)
 *   others    what failed
 */
int loop_claims_take(struct loop_claims *claims, int fd, struct use_reason *why);

void loop_claims_free(struct loop_claims *claims);

/*
 * Has another program locked a part of the file @fd (fcntl(2)), as QEMU and others do with images
 * that they use? -EBUSY: yes, and @why says which; 0 also for block devices, which have no users
 * of that kind.
 */
int file_check_locks(int fd, struct use_reason *why);
