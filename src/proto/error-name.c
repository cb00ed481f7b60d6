/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/error-name.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "util/checked.h"
#include "util/error.h"

/* The first row with a name is what is meant by it. @sent is the errno in messages, where @error is
 * none. */
static const struct {
	int error;
	const char *name;
	int sent;
} rows[] = {
	{EINVAL, "InvalidArgument", 0},
	{ENOTSUP, "NotSupported", 0},
	{ERROR_REQUIREMENT, "NotSupported", ETXTBSY},
	{ERROR_UNKNOWN_HASH, "NotSupported", ENOPKG},
	{EBUSY, "Busy", 0},
	{ENOTUNIQ, "Busy", 0},
	{ERROR_IN_PROGRESS, "RotationInProgress", EINPROGRESS},
	{ERROR_NO_ROTATION, "NoRotation", ENOMSG},
	{ERROR_REVERSING, "AlreadyReversing", EALREADY},
	{ENOKEY, "Locked", 0},
	{ERROR_KEY_REJECTED, "KeyRejected", EPERM},
	{ERROR_KEYSLOTS_LOST, "KeyslotsLost", EDQUOT},
	{ENODEV, "NotFound", 0},
	{ENOENT, "NotFound", 0},
	{ENOTBLK, "NotFound", 0},
	{ERROR_HEADER_CHANGED, "HeaderConflict", ESTALE},
	{ERROR_OTHER_VOLUME, "HeaderConflict", EREMCHG},
	{ERROR_OTHER_KEY, "Tampered", EKEYREJECTED},
	{ETIMEDOUT, "TimedOut", 0},
	{ETIME, "TimedOut", 0},
	{ECANCELED, "Cancelled", 0},
	{EINTR, "Cancelled", 0},
	{ERROR_COST_TOO_HIGH, "CostTooHigh", E2BIG},
	{ENOSPC, "NoSpace", 0},
	{ENOMEM, "NoMemory", 0},
	{EIO, "IOError", 0},
	{ENODATA, "IOError", 0},
	{EREMOTEIO, "IOError", 0},
	{EILSEQ, "IOError", 0},
	{ENXIO, "IOError", 0},
	{ERROR_SHUTTING_DOWN, "ShuttingDown", 0},
	{ERROR_NOT_AUTHORIZED, "NotAuthorized", 0},
};

const char *error_name(int error)
{
	assert(error <= 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].error == -error)
			return rows[i].name;
	return "Failed";
}

int error_of_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return -rows[i].error;
	return 0;
}

int error_sent(int error)
{
	assert(error <= 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].error == -error && rows[i].sent > 0)
			return -rows[i].sent;
	return error;
}

int error_received(int sent, const char *name)
{
	const char *dot = strrchr(name, '.');

	if (sent >= 0 || sent <= -ERROR_FIRST)
		return -EIO;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].sent > 0 && rows[i].sent == -sent &&
		    strcmp(rows[i].name, dot ? dot + 1 : name) == 0)
			return -rows[i].error;
	return sent;
}
