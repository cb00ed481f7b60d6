/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The text of a JSON value, written where it is to be, with no memory of its own. json-c's printer
 * gets memory as the text grows, and where it gets none it leaves a part of the text out and says
 * nothing: a header that was committed so could never be read again.
 */
#pragma once

#include <stddef.h>

#include <json-c/json.h>

/*
 * Compact, without a '\0', and as json-c prints it with JSON_C_TO_STRING_PLAIN and
 * JSON_C_TO_STRING_NOSLASHESCAPE. -ENOSPC: more than @size bytes; -ENOMEM.
 */
int json_text_write(json_object *value, char *to, size_t size, size_t *ret);
