/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keyslots of a volume as the daemon tells them, and how people read of them. */
#include <errno.h>
#include <stdio.h>

#include "ctl/verbs.h"
#include "util/log.h"
#include "util/text.h"

uint32_t json_keyslots(json_object *o, const char *key)
{
	uint32_t bits = 0;
	json_object *list;

	if (!json_object_object_get_ex(o, key, &list) ||
	    !json_object_is_type(list, json_type_array))
		return 0;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		bits |= UINT32_C(1)
			<< (json_object_get_int(json_object_array_get_idx(list, i)) & 31);
	return bits;
}

/* [[0, "passphrase"], ...]; what is not so is left out. */
void json_bindings(json_object *volume, struct luks_bindings *ret)
{
	json_object *list;

	*ret = (struct luks_bindings){};
	if (!json_object_object_get_ex(volume, "Keyslots", &list) ||
	    !json_object_is_type(list, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		json_object *pair = json_object_array_get_idx(list, i);
		const bool is_pair = json_object_is_type(pair, json_type_array) &&
				     json_object_array_length(pair) == 2;
		char *of;

		if (!is_pair)
			continue;
		of = ret->of[json_object_get_int(json_object_array_get_idx(pair, 0)) & 31];
		(void)text_copy(of, LUKS_BINDING_SIZE,
				json_object_get_string(json_object_array_get_idx(pair, 1)) ?: "");
		text_mask(of);
	}
}

int tell_keyslots(struct client *c, const char *path, const char *name)
{
	char opened[LUKS_BINDINGS_TEXT], missing[LUKS_BINDINGS_TEXT];
	uint32_t open_slots, missing_slots;
	struct luks_bindings b;
	json_object *volume;
	int r = client_properties(c, path, BUS_VOLUME_INTERFACE, &volume);

	if (r < 0)
		return r;
	open_slots = json_keyslots(volume, "OpenKeyslots");
	missing_slots = json_keyslots(volume, "MissingKeyslots");
	json_bindings(volume, &b);
	json_object_put(volume);
	(void)luks_bindings_text(&b, open_slots, opened);
	(void)luks_bindings_text(&b, missing_slots, missing);
	if (open_slots != 0)
		printf("%s: %s opened%s%s%s\n", name, opened, missing_slots ? "; " : "",
		       missing_slots ? missing : "", missing_slots ? " not yet" : "");
	else if (missing_slots != 0)
		printf("%s: the volume key is known; %s not yet\n", name, missing);
	return fflush(stdout) == 0 ? 0 : log_error_errno(-errno, "cannot write to standard output");
}
