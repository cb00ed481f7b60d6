/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Members of JSON objects that somebody else may have written: what is missing or of another type
 * counts as not set, and what is not set is left out when it is written.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>

/* The member, which stays the object's, or NULL. */
json_object *json_member(json_object *o, const char *name, json_type type);

/* Valid text, cut to @size bytes; "" where there is none. */
void json_get_text(json_object *o, const char *name, char *buf, size_t size);
uint64_t json_get_number(json_object *o, const char *name);
uint32_t json_get_number32(json_object *o, const char *name);
bool json_get_bool(json_object *o, const char *name);

/* Takes @value; NULL is a failed allocation. -ENOMEM, of the others, too. */
int json_put(json_object *o, const char *name, json_object *value);
/* "", 0 and false take the member out. */
int json_put_text(json_object *o, const char *name, const char *text);
int json_put_number(json_object *o, const char *name, uint64_t n);
int json_put_bool(json_object *o, const char *name, bool value);
