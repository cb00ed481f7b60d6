/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/error-name.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "proto/recryptd-errors.h"
#include "util/checked.h"
#include "util/error.h"

/* The first row with a name is what is meant by it. @sent is the errno in messages, where @error is
 * none. */
static const struct {
	int error;
	const char *name;
	int sent;
} rows[] = {
	{EINVAL, RECRYPTD_ERROR_INVALID_ARGUMENT, 0},
	{ENOTSUP, RECRYPTD_ERROR_NOT_SUPPORTED, 0},
	{ERROR_REQUIREMENT, RECRYPTD_ERROR_NOT_SUPPORTED, ETXTBSY},
	{ERROR_UNKNOWN_HASH, RECRYPTD_ERROR_NOT_SUPPORTED, ENOPKG},
	{EBUSY, RECRYPTD_ERROR_BUSY, 0},
	{ENOTUNIQ, RECRYPTD_ERROR_BUSY, 0},
	{ERROR_IN_PROGRESS, RECRYPTD_ERROR_ROTATION_IN_PROGRESS, EINPROGRESS},
	{ERROR_NO_ROTATION, RECRYPTD_ERROR_NO_ROTATION, ENOMSG},
	{ERROR_REVERSING, RECRYPTD_ERROR_ALREADY_REVERSING, EALREADY},
	{ENOKEY, RECRYPTD_ERROR_LOCKED, 0},
	{ERROR_KEY_REJECTED, RECRYPTD_ERROR_KEY_REJECTED, EPERM},
	{ERROR_KEYSLOTS_LOST, RECRYPTD_ERROR_KEYSLOTS_LOST, EDQUOT},
	{ENODEV, RECRYPTD_ERROR_NOT_FOUND, 0},
	{ENOENT, RECRYPTD_ERROR_NOT_FOUND, 0},
	{ENOTBLK, RECRYPTD_ERROR_NOT_FOUND, 0},
	{ERROR_HEADER_CHANGED, RECRYPTD_ERROR_HEADER_CONFLICT, ESTALE},
	{ERROR_OTHER_VOLUME, RECRYPTD_ERROR_HEADER_CONFLICT, EREMCHG},
	{ERROR_OTHER_KEY, RECRYPTD_ERROR_TAMPERED, EKEYREJECTED},
	{ETIMEDOUT, RECRYPTD_ERROR_TIMED_OUT, 0},
	{ETIME, RECRYPTD_ERROR_TIMED_OUT, 0},
	{ECANCELED, RECRYPTD_ERROR_CANCELLED, 0},
	{EINTR, RECRYPTD_ERROR_CANCELLED, 0},
	{ERROR_COST_TOO_HIGH, RECRYPTD_ERROR_COST_TOO_HIGH, E2BIG},
	{ENOSPC, RECRYPTD_ERROR_NO_SPACE, 0},
	{ENOMEM, RECRYPTD_ERROR_NO_MEMORY, 0},
	{EIO, RECRYPTD_ERROR_IO_ERROR, 0},
	{ENODATA, RECRYPTD_ERROR_IO_ERROR, 0},
	{EREMOTEIO, RECRYPTD_ERROR_IO_ERROR, 0},
	{EILSEQ, RECRYPTD_ERROR_IO_ERROR, 0},
	{ENXIO, RECRYPTD_ERROR_IO_ERROR, 0},
	{ERROR_SHUTTING_DOWN, RECRYPTD_ERROR_SHUTTING_DOWN, 0},
	{ERROR_NOT_AUTHORIZED, RECRYPTD_ERROR_NOT_AUTHORIZED, 0},
};

static const char *short_name(const char *name)
{
	return name + strlen(RECRYPTD_ERROR_PREFIX);
}

const char *error_name(int error)
{
	assert(error <= 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].error == -error)
			return short_name(rows[i].name);
	return short_name(RECRYPTD_ERROR_FAILED);
}

int error_of_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(short_name(rows[i].name), name) == 0)
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
		    strcmp(short_name(rows[i].name), dot ? dot + 1 : name) == 0)
			return -rows[i].error;
	return sent;
}
