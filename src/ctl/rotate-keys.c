/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Before recryptctl rotate asks for a rotation it looks which keyslots that would lose. At a
 * terminal it asks for what is missing; without one it refuses what would wait, or fail, for a
 * reason that is known already. A volume without any key only waits for one.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "ctl/verbs.h"
#include "ctl/volume-view.h"
#include "util/log.h"

/* The daemon refuses, queues or replaces a rotation that is under way. */
static bool is_at_rest(json_object *volume)
{
	return strcmp(json_text(volume, "State"), "idle") == 0;
}

/* Nothing is lost, or that is agreed to. */
static bool loses_nothing(const struct options *o, json_object *volume)
{
	json_object *missing;

	if (o->rotation.lose_keyslots || o->rotation.keep_key)
		return true;
	return o->rotation.keyslot < 0 &&
	       json_object_object_get_ex(volume, "MissingKeyslots", &missing) &&
	       json_keyslots(volume, "MissingKeyslots") == 0;
}

static int refuse(struct client *c, const struct options *o, const char *path, const char *name,
		  uint32_t lost)
{
	const bool one = __builtin_popcount(lost) == 1;
	char list[LUKS_BINDINGS_TEXT];
	struct luks_bindings b;
	json_object *volume; /* as the worker has just seen it */
	int r = client_properties(c, path, BUS_VOLUME_INTERFACE, &volume);

	if (r < 0)
		return r;
	json_bindings(volume, &b);
	json_object_put(volume);
	(void)luks_bindings_text(&b, lost, list);
	if (o->rotation.keyslot >= 0)
		return log_refusal(-ENOKEY,
				   "%s: %s would be lost, as only keyslot %d is to be carried "
				   "over; to agree, add: --lose-keyslots",
				   name, list, o->rotation.keyslot);
	return log_refusal(-ENOKEY,
			   "%s: %s would be lost: %s not known. Give %s as well: recryptctl unlock "
			   "%s; or let %s go: recryptctl rotate --lose-keyslots %s",
			   name, list, one ? "its passphrase is" : "their passphrases are",
			   one ? "it" : "them", name, one ? "it" : "them", name);
}

/* As a rotation would find it now: a passphrase may open more than it was tried on. */
static int refuse_losses(struct client *c, const struct options *o, const char *path,
			 const char *name, json_object *volume)
{
	json_object *result;
	uint32_t lost;
	int r;

	if (!is_at_rest(volume) || !json_number(volume, "Unlocked") || loses_nothing(o, volume))
		return 0;
	r = check_rotation(c, o, path, &result);
	if (r < 0)
		return r;
	lost = json_keyslots(result, "LostKeyslots");
	json_object_put(result);
	return lost ? refuse(c, o, path, name, lost) : 0;
}

static int ask_for_keys(struct client *c, const struct options *o, const char *path,
			struct passphrase_source *source, json_object *volume, bool *ret_lose)
{
	const char *provider = json_text(volume, "KeyProvider");
	int r;

	if (!is_at_rest(volume))
		return 0;
	if (!json_number(volume, "Unlocked")) {
		if (*provider && strcmp(provider, "none") != 0)
			return 0; /* that is asked first */
		r = unlock_volume(c, o, path, source);
		if (r < 0)
			return r;
	} else if (loses_nothing(o, volume)) {
		return 0;
	}
	if (o->rotation.lose_keyslots || o->rotation.keep_key)
		return 0;
	return carry_keyslots_over(c, o, path, source, "--lose-keyslots", ret_lose);
}

int rotation_keys(struct client *c, const struct options *o, const char *path, bool *ret_lose)
{
	struct passphrase_source source = passphrases_of(o, o->target.device);
	json_object *volume;
	int r = client_properties(c, path, BUS_VOLUME_INTERFACE, &volume);

	assert(o->target.device && !o->target.operands[1]);
	if (r < 0)
		return r;
	c->had_keys = json_number(volume, "Unlocked") != 0;
	if (o->daemon.remote || !passphrase_is_typed(&source))
		r = refuse_losses(c, o, path, o->target.device, volume);
	else
		r = ask_for_keys(c, o, path, &source, volume, ret_lose);
	json_object_put(volume);
	return r;
}

static bool is_meant(struct client *c, const struct options *o, json_object *volume)
{
	if (o->daemon.group && strcmp(json_text(volume, "Group"), o->daemon.group) != 0)
		return false;
	if (!o->target.device)
		return true;
	for (char **operand = o->target.operands; *operand; operand++) {
		_cleanup_free_ char *path = NULL;

		if (find_volume(c, o, *operand, &path) == 0 &&
		    strcmp(path, json_text(volume, "Path")) == 0)
			return true;
	}
	return false;
}

/* Volumes that are rotated together do not wait for keys: one without would end all. */
static int refuse_locked(const char *name, json_object *volume)
{
	if (!is_at_rest(volume) || json_number(volume, "Unlocked") ||
	    strcmp(json_text(volume, "KeyProvider"), "none") != 0)
		return 0;
	return log_refusal(-ENOKEY,
			   "%s: is locked: unlock it first: recryptctl unlock %s; none of the "
			   "volumes was touched",
			   name, name);
}

static int refuse_member(struct client *c, const struct options *o, const char *name,
			 json_object *volume)
{
	int r = refuse_locked(name, volume);

	return r < 0 ? r : refuse_losses(c, o, json_text(volume, "Path"), name, volume);
}

int rotation_keys_of_all(struct client *c, const struct options *o)
{
	json_object *volumes;
	int result = 0, r = client_volumes(c, &volumes);

	if (r < 0)
		return r;
	for (size_t i = 0; i < json_object_array_length(volumes); i++) {
		json_object *v = json_object_array_get_idx(volumes, i);
		_cleanup_free_ char *name = view_name(v);

		r = name ? 0 : -ENOMEM;
		if (r == 0 && is_meant(c, o, v))
			r = refuse_member(c, o, name, v);
		result = r < 0 ? r : result;
	}
	json_object_put(volumes);
	return result;
}

int forget_keys(struct client *c, const char *path, int error)
{
	assert(error < 0);
	if (!c->unlocked || c->had_keys)
		return error;
	c->log_off = true; /* the failure is told already */
	(void)client_call(c, path, BUS_VOLUME_INTERFACE, "Lock", NULL, "a{sv}", 0);
	c->log_off = false;
	return error;
}
