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

#include "cli/lost-keyslots.h"
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
	const char *agrees; /* the option that gives keyslots up */
	uint32_t lost;      /* bit n: keyslot n, as things are */
	uint32_t kept;      /* the others */
	struct luks_bindings bindings;
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
	json_object *result;
	int r = check_rotation(a->client, a->o, a->path, &result);

	if (r < 0)
		return r;
	a->lost = json_keyslots(result, "LostKeyslots");
	a->kept = json_keyslots(result, "KeptKeyslots") ?: 1;
	json_object_put(result);
	return 0;
}

/* -ERROR_KEY_REJECTED: what was given was wrong. */
static int refuse_keyslot(const struct carry_over *a, int keyslot, int error)
{
	const int kept = __builtin_ctz(a->kept); /* or the volume would still be locked */

	return log_refusal(error,
			   "%s: keyslot %d needs a passphrase too (standard input: one a line). To "
			   "keep keyslot %d alone: --key-slot %d %s",
			   a->o->target.device, keyslot, kept, kept, a->agrees);
}

/* Until it is open, or given up with an empty line that does not open it. */
static int ask_for(struct carry_over *a, int keyslot)
{
	unsigned wrong = 0;

	assert(keyslot >= 0 && keyslot < (int)LUKS_MAX_KEYSLOTS);
	while (a->lost & UINT32_C(1) << keyslot) {
		_cleanup_(secret_freep) struct secret *passphrase = NULL;
		int r = passphrase_ask(a->source, keyslot, false, &passphrase);

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

/* Nobody types what a device knows. */
static bool is_asked_for(const struct carry_over *a, int keyslot)
{
	return !passphrase_is_typed(a->source) || !luks_binding_device(a->bindings.of[keyslot]);
}

static int confirm(const struct carry_over *a)
{
	luks_bindings_tell_lost(a->o->target.device, &a->bindings, a->lost);
	return a->o->batch_mode ? 0
				: lost_keyslots_confirm(a->o->target.device, a->lost, a->agrees);
}

/* As the worker has just seen them; an earlier look may not have. */
static int read_bindings(struct carry_over *a)
{
	json_object *volume;
	int r = client_properties(a->client, a->path, BUS_VOLUME_INTERFACE, &volume);

	if (r < 0)
		return r;
	json_bindings(volume, &a->bindings);
	json_object_put(volume);
	a->source->bindings = &a->bindings;
	return 0;
}

static int ask_and_confirm(struct carry_over *a)
{
	int r = read_bindings(a);

	if (r < 0)
		return r;
	for (int n = 0; n < (int)LUKS_MAX_KEYSLOTS && a->o->rotation.keyslot < 0; n++) {
		r = is_asked_for(a, n) ? ask_for(a, n) : 0;
		if (r < 0)
			return r;
	}
	return a->lost ? confirm(a) : 0;
}

int carry_keyslots_over(struct client *c, const struct options *o, const char *path,
			struct passphrase_source *source, const char *agrees, bool *ret_some_lost)
{
	struct carry_over a = {
		.client = c, .o = o, .path = path, .source = source, .agrees = agrees};
	int r = read_lost_keyslots(&a);

	assert(o->target.device && !o->target.operands[1]);
	if (r < 0)
		return r;
	r = a.lost ? ask_and_confirm(&a) : 0;
	source->bindings = NULL;
	*ret_some_lost = a.lost != 0;
	return r;
}
