/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/reason.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>

#include "util/text.h"

int luks_refuse(struct luks_reason *why, int error, const char *format, ...)
{
	va_list args;

	assert(error <= 0); /* callers return it as it is */
	if (!why)
		return error;

	va_start(args, format);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it does not know va_start() */
	(void)text_vformat(why->text, sizeof(why->text), format, args);
	va_end(args);
	text_mask(why->text); /* it may quote the header */
	return error;
}
