/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Why something that a caller asked for is not done: the last part of a bus error name
 * (org.recryptd1.Error.NAME) and a text for people. Verbs fill one and return an errno. The names
 * are those of service_error_name() in proto/service-bus.h, and ShuttingDown.
 */
#pragma once

#define FAILURE_SHUTTING_DOWN "ShuttingDown" /* -ESHUTDOWN: no new work is taken */

struct failure {
	char name[64];
	char text[512];
};

/*
 * Fills @f (may be NULL) with the text and the name that belongs to @error, which it returns, so
 * that a refusal is one statement.
 */
int failure_set(struct failure *f, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
