/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verification digest, over a JSON that is not the header's yet. */
#pragma once

#include <json-c/json.h>

#include "luks/reencrypt.h"

/* As luks_reenc_digest_make(), in @json. */
int digest_replace(json_object *json, const struct luks_reenc *r,
		   const struct luks_reenc_keys *keys);
