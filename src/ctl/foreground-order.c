/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the command line says, as the order for a run in the foreground. */
#include <assert.h>
#include <stdint.h>

#include "cli/passphrase.h"
#include "ctl/foreground.h"

static enum foreground_verb verb_of(enum verb verb)
{
	if (verb == VERB_REENCRYPT)
		return FOREGROUND_REENCRYPT;
	if (verb == VERB_RECOVER)
		return FOREGROUND_RECOVER;
	return verb == VERB_CANCEL ? FOREGROUND_CANCEL : FOREGROUND_NONE;
}

/* The order only lends them out. */
static char *lent(const char *text)
{
	return (char *)(uintptr_t)text;
}

void foreground_order_fill(const struct options *o, struct foreground_order *ret)
{
	const struct key_options *k = &o->keys;
	const struct passphrase_source source = {.key_file = k->key_file,
						 .key_description = k->key_description};

	assert(verb_of(o->verb) != FOREGROUND_NONE);
	*ret = (struct foreground_order){
		.rotation = o->rotation,
		.run = o->run,
		.foreground =
			{
				.verb = verb_of(o->verb),
				.init_only = o->init_only,
				.resume_only = o->resume_only,
				.batch_mode = o->batch_mode,
				.trust_position = o->trust_position,
				.no_keyslots = k->no_keyslots,
				.ignore_own_header = o->target.ignore_own_header,
				.uuid = lent(o->target.uuid),
				.hotzone_size = o->pace.hotzone_size,
				.old_key_size = k->old_key_size,
				.both_key_sizes = k->new_key_size > 0,
				.token_id = k->token_id,
				.token_type = lent(k->token_type),
				.token_only = k->token_only,
				.try_tokens = !k->key_file,
				.tries = k->tries,
				.empty_gives_up = passphrase_is_typed(&source),
			},
	};
}
