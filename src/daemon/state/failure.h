/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Verbs fill a failure and return an error; error_name() says the name that belongs to it. */
#pragma once

#include "model/failure.h"

/*
 * Fills @f (may be NULL) with the text and the name that belongs to @error, which it returns, so
 * that a refusal is one statement.
 */
int failure_set(struct failure *f, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
