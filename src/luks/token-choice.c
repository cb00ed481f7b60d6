/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/token-choice.h"

#include <errno.h>
#include <string.h>

#include "luks/fields.h"
#include "util/log.h"

static bool allows(const struct luks_token_choice *c, int id, const char *type)
{
	return (c->id == LUKS_ANY_TOKEN || c->id == id) && (!c->type || strcmp(c->type, type) == 0);
}

static int refuse_choice(const char *device, const struct luks_token_choice *c)
{
	if (c->id != LUKS_ANY_TOKEN)
		log_error("%s: there is no token %d%s%s; \"cryptsetup luksDump\" lists the tokens",
			  device, c->id, c->type ? " of type " : "", c->type ?: "");
	else
		log_error("%s: there is no token%s%s; \"cryptsetup luksDump\" lists the tokens",
			  device, c->type ? " of type " : "", c->type ?: "");
	return -ENOENT;
}

int luks_tokens_find(struct crypt_device *cd, const char *device, const struct luks_token_choice *c,
		     uint32_t *ret)
{
	uint32_t found = 0;

	if (!c) {
		*ret = UINT32_MAX;
		return 0;
	}
	for (int id = 0; id < (int)LUKS_MAX_TOKENS; id++) {
		const char *type = NULL;

		if (crypt_token_status(cd, id, &type) > CRYPT_TOKEN_INACTIVE && type &&
		    allows(c, id, type))
			found |= UINT32_C(1) << id;
	}
	if (found == 0)
		return refuse_choice(device, c);
	*ret = found;
	return 0;
}
