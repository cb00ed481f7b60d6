/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One form for UUIDs, so that equal ones are equal texts. */
#pragma once

#include <stdbool.h>

#define UUID_TEXT_SIZE 37

/* "8-4-4-4-12" lower case hex digits; upper case and all dashes left out are taken too. -EINVAL. */
int uuid_canonical(const char *text, char ret[static UUID_TEXT_SIZE]);

/* Are both UUIDs, and the same? */
bool uuid_equal(const char *a, const char *b);
