/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Settings as members of a JSON object, by those of their rows that have a name there. */
#pragma once

#include <json-c/json.h>

#include "model/settings.h"

/* What is missing or of another type is not set in @values. */
void settings_from_json(json_object *o, const struct setting *rows, void *values);

/* What is not set is taken out of @o. -ENOMEM. */
int settings_to_json(json_object *o, const struct setting *rows, const void *values);
