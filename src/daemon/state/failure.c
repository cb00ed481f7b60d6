/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/failure.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>

#include "proto/error-name.h"
#include "util/text.h"

int failure_set(struct failure *f, int error, const char *format, ...)
{
	va_list ap;

	assert(error < 0);
	if (!f)
		return error;
	(void)text_copy(f->name, sizeof(f->name), error_name(error));
	va_start(ap, format);
	(void)text_vformat(f->text, sizeof(f->text), format, ap);
	va_end(ap);
	return error;
}
