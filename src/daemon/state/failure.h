/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Verbs fill a failure and return an errno. The names are those of service_error_name() in
 * proto/service-bus.h, and ShuttingDown.
 */
#pragma once

#include "model/failure.h"

#define FAILURE_SHUTTING_DOWN "ShuttingDown" /* -ESHUTDOWN: no new work is taken */

/*
 * Fills @f (may be NULL) with the text and the name that belongs to @error, which it returns, so
 * that a refusal is one statement.
 */
int failure_set(struct failure *f, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
