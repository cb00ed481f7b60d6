/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What our own code says beside errno(3). A function that can fail returns 0 or a negative number:
 * -ENOMEM is said by the kernel, a library, or in their sense; -ERROR_OTHER_KEY is said by us
 * alone. These numbers are above MAX_ERRNO (include/linux/err.h), so that neither is taken for the
 * other: a quota that is used up (EDQUOT) is no lost keyslot, a handle that a network file system
 * has forgotten (ESTALE) is no header that somebody has changed.
 */
#pragma once

enum error_code {
	ERROR_FIRST = 4096,
	ERROR_KEY_REJECTED = ERROR_FIRST, /* a passphrase or key opens nothing */
	ERROR_OTHER_KEY,                  /* made with other keys, or tampered with */
	ERROR_HEADER_CHANGED,             /* another program has written the header */
	ERROR_OTHER_VOLUME,               /* another volume or device than was meant is there */
	ERROR_REQUIREMENT,                /* the header wants something that we do not know */
	ERROR_COST_TOO_HIGH,              /* of a key derivation */
	ERROR_UNKNOWN_HASH,
	ERROR_KEYSLOTS_LOST,
	ERROR_IN_PROGRESS, /* a re-encryption is there already */
	ERROR_NO_ROTATION,
	ERROR_REVERSING, /* it is on its way back already */
	ERROR_SHUTTING_DOWN,
	ERROR_NOT_AUTHORIZED, /* by the daemon */
	/* Why a wait ended: a rotation that was taken back, or that has failed half way; what a
	 * person has to do first; a volume that is gone; the time that the caller gave. */
	ERROR_WAIT_CANCELLED,
	ERROR_WAIT_FAILED,
	ERROR_WAIT_LOCKED,
	ERROR_WAIT_SUSPENDED,
	ERROR_WAIT_GONE,
	ERROR_WAIT_TIMEOUT,
	ERROR_END
};

/* Of an errno as well; never NULL. */
const char *error_text(int error);
