/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config.requirements.mandatory: what a program must understand before it touches the volume. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>

/* "online-reencrypt", or that with any version behind it. */
bool is_online_reencrypt(const char *requirement);

/* Is there any requirement? */
bool requirement_any(json_object *json);

/* Is there an online re-encryption, of a version that we know or not? */
bool has_online_reencrypt(json_object *json);

/* Version of the online re-encryption that the header requires: 1 to 3; 0 without a known one. */
unsigned requirement_version(json_object *json);

/* Version 1 of all: the offline tool of LUKS1 times. */
bool has_offline_reencrypt(json_object *json);

/* Takes the online re-encryption away, and what is empty then. */
void requirement_drop_reencrypt(json_object *json);
