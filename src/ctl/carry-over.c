/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which keyslots live on when recryptctl reencrypt begins by the daemon: as in the foreground each
 * is asked for, and what would be lost is said before anything is written.
 *
 *     Check() -> lost keyslots -> a passphrase for the first of them -> Unlock() -> Check() ...
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "ctl/bus-json.h"
#include "ctl/verbs.h"
#include "luks/fields.h"
#include "util/error.h"
#include "util/log.h"

struct carry_over {
	struct client *client;
	const struct options *o;
	const char *path;
	struct passphrase_source *source;
	uint32_t lost; /* bit n: keyslot n, as things are */
};

int check_rotation(struct client *c, const struct options *o, const char *path, json_object **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	int r = call_volume(c, o, path, "Check", append_rotation, &reply);

	if (r < 0)
		return r;
	r = json_from_message(reply, ret);
	return r < 0 ? log_error_errno(r, "the answer of recryptd cannot be read") : 0;
}

static int read_lost_keyslots(struct carry_over *a)
{
	json_object *result, *lost;
	int r = check_rotation(a->client, a->o, a->path, &result);

	if (r < 0)
		return r;
	a->lost = 0;
	if (json_object_object_get_ex(result, "LostKeyslots", &lost) &&
	    json_object_is_type(lost, json_type_array))
		for (size_t i = 0; i < json_object_array_length(lost); i++)
			a->lost |=
				UINT32_C(1)
				<< (json_object_get_int(json_object_array_get_idx(lost, i)) & 31);
	json_object_put(result);
	return 0;
}

/* -ERROR_KEY_REJECTED: what was given was wrong. */
static int refuse_keyslot(const struct carry_over *a, int keyslot, int error)
{
	return log_refusal(error,
			   "%s: no passphrase for keyslot %d was given; without it only one "
			   "keyslot can be carried over, chosen with --key-slot",
			   a->o->target.device, keyslot);
}

/* Until it is open, or given up with an empty line that does not open it. */
static int ask_for(struct carry_over *a, int keyslot)
{
	unsigned wrong = 0;

	assert(keyslot >= 0 && keyslot < (int)LUKS_MAX_KEYSLOTS);
	while (a->lost & UINT32_C(1) << keyslot) {
		_cleanup_(secret_freep) struct secret *passphrase = NULL;
		int r = passphrase_ask(a->source, keyslot, wrong > 0, &passphrase);

		if (r == -ENOKEY)
			return 0;
		if (r == -ENODATA)
			return refuse_keyslot(a, keyslot,
					      wrong > 0 ? -ERROR_KEY_REJECTED : -EINVAL);
		if (r < 0)
			return r;
		r = unlock_by(a->client, a->o, a->path, passphrase);
		if (r == 0)
			r = read_lost_keyslots(a);
		else if (client_has_refused_key(a->client) && passphrase_is_typed(a->source) &&
			 passphrase->size == 0)
			return 0;
		else if (client_has_refused_key(a->client))
			r = ++wrong < a->o->keys.tries
				    ? 0
				    : refuse_keyslot(a, keyslot, -ERROR_KEY_REJECTED);
		if (r < 0)
			return r;
	}
	return 0;
}

static int confirm(const struct carry_over *a)
{
	for (int n = 0; n < (int)LUKS_MAX_KEYSLOTS; n++)
		if (a->lost & UINT32_C(1) << n)
			log_warning("%s: keyslot %d will be lost: its passphrase was not given",
				    a->o->target.device, n);
	return a->o->batch_mode ? 0 : passphrase_confirm_lost(a->o->target.device);
}

int carry_keyslots_over(struct client *c, const struct options *o, const char *path,
			struct passphrase_source *source, bool *ret_some_lost)
{
	struct carry_over a = {.client = c, .o = o, .path = path, .source = source};
	int r = read_lost_keyslots(&a);

	assert(o->target.device && !o->target.operands[1]);
	if (r < 0)
		return r;
	for (int n = 0; n < (int)LUKS_MAX_KEYSLOTS && o->rotation.keyslot < 0; n++) {
		r = ask_for(&a, n);
		if (r < 0)
			return r;
	}
	*ret_some_lost = a.lost != 0;
	return a.lost ? confirm(&a) : 0;
}
