/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One number for each kind of failure: all that a shell learns of it. */
#include "util/exit-code.h"

#include <errno.h>

#include "util/error.h"

int exit_code(int error)
{
	switch (error) {
	case 0:
		return 0;
	case -ERROR_KEY_REJECTED:
	case -ERROR_NOT_AUTHORIZED:
	case -ENOKEY:
		return 2;
	case -ENOMEM:
		return 3;
	case -ENODEV:
	case -ENOTBLK:
		return 4;
	case -EEXIST:
	case -EBUSY:
	case -ERROR_IN_PROGRESS:
		return 5;
	default:
		return 1;
	}
}
