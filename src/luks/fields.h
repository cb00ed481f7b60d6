/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Strict reading of fields of the LUKS2 JSON. Sizes and offsets are decimal strings there, ids are
 * decimal object keys, and nothing of it can be trusted. Objects that are returned are borrowed.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#define LUKS_MAX_KEYSLOTS 32U
#define LUKS_MAX_TOKENS   32U
#define LUKS_MAX_SEGMENTS 32U
#define LUKS_MAX_DIGESTS  8U

/* The member @key if it has @type, or NULL. */
json_object *field_get(json_object *object, const char *key, enum json_type type);

/* A string of at least one character and without NUL, or NULL. */
const char *field_string(json_object *object, const char *key);

/* 0, or -EINVAL where the member is missing or is something else. */
int field_u64(json_object *object, const char *key, uint64_t *ret); /* decimal string */
int field_u32(json_object *object, const char *key, uint32_t *ret); /* number */

/* An id in its only spelling, without sign or leading zeros, below @limit; or -EINVAL. */
int parse_id(const char *text, unsigned limit, unsigned *ret);

/* Members by number: object["7"]; NULL where there is none. */
json_object *field_by_id(json_object *object, unsigned id);
/* Takes over @value, also on failure (-ENOMEM). Replaces. */
int field_set_id(json_object *object, unsigned id, json_object *value);
int field_set(json_object *object, const char *key, json_object *value);
void field_delete_id(json_object *object, unsigned id);

/* Arrays of ids as strings: ["0","2"]. */
bool ids_contain(json_object *array, unsigned id);
/* Appends unless it is there. */
int ids_add(json_object *array, unsigned id);
void ids_remove(json_object *array, unsigned id);

json_object *json_u64(uint64_t v); /* as a decimal string; NULL without memory */

/* For _cleanup_(). */
static inline void json_putp(json_object **o)
{
	json_object_put(*o);
}
