/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "util/exit-code.h"

#include <errno.h>
#include <stdbool.h>

#include "util/checked.h"
#include "util/error.h"

const struct exit_row exit_rows[] = {
	{0, "success", {0}},
	{1,
	 "wrong parameters, a run that was told to stop, and whatever has no number of its own",
	 {0}},
	{2,
	 "no permission: no passphrase or key that fits, or the caller may not do this",
	 {ERROR_KEY_REJECTED, ERROR_NOT_AUTHORIZED, ENOKEY}},
	{3, "out of memory", {ENOMEM}},
	{4, "wrong device, or no such volume is known", {ENODEV, ENOTBLK}},
	{5,
	 "the device is busy, or a re-encryption is already running",
	 {EEXIST, EBUSY, ERROR_IN_PROGRESS}},
	{6, "the rotation that was waited for was cancelled", {ERROR_WAIT_CANCELLED}},
	{7,
	 "the rotation that was waited for has failed half way, and a person has to look",
	 {ERROR_WAIT_FAILED}},
	{8, "the volume waits for a key", {ERROR_WAIT_LOCKED}},
	{9, "the volume is suspended", {ERROR_WAIT_SUSPENDED}},
	{10, "the volume is absent, or is not known any more", {ERROR_WAIT_GONE}},
	{11, "the work was not done within the time given", {ERROR_WAIT_TIMEOUT}},
	{0},
};

static bool stands_for(const struct exit_row *row, int error)
{
	for (size_t i = 0; i < ARRAY_SIZE(row->errors) && row->errors[i]; i++)
		if (row->errors[i] == -error)
			return true;
	return false;
}

int exit_code(int error)
{
	if (error == 0)
		return 0;
	for (const struct exit_row *row = exit_rows; row->text; row++)
		if (stands_for(row, error))
			return row->code;
	return 1;
}
