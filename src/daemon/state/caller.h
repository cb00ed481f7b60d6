/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who has asked for something: the user of a caller on the bus. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CALLER_NOBODY UINT32_MAX /* on the bus, in place of a uid */

struct caller_id {
	bool known; /* false: nobody did, or it was asked for before this daemon knew who did */
	uint32_t uid;
};

extern const struct caller_id caller_nobody;

struct json_object;

/* The member "caller", which is left out where nobody is known. -ENOMEM. */
struct caller_id caller_from_json(struct json_object *o);
int caller_to_json(const struct caller_id *c, struct json_object *o);
