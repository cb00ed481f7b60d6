/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/bindings.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "util/checked.h"
#include "util/log.h"

#define CRYPTENROLL "systemd-cryptenroll --wipe-slot="

static const struct luks_binding_device devices[] = {
	{"systemd-tpm2", "TPM2", CRYPTENROLL "tpm2 --tpm2-device=auto ", ""},
	{"systemd-fido2", "FIDO2", CRYPTENROLL "fido2 --fido2-device=auto ", ""},
	{"systemd-pkcs11", "PKCS#11", CRYPTENROLL "pkcs11 --pkcs11-token-uri=auto ", ""},
	{"clevis", "clevis", "clevis luks bind -d ", " PIN CONFIG"},
};

#define RECOVERY "systemd-recovery"

const struct luks_binding_device *luks_binding_device(const char *binding)
{
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		if (strcmp(devices[i].type, binding) == 0)
			return &devices[i];
	return NULL;
}

bool luks_binding_dies_with_keyslot(const char *type)
{
	return luks_binding_device(type) || strcmp(type, RECOVERY) == 0;
}

static void copy_clean(char ret[static LUKS_BINDING_SIZE], const char *type)
{
	const size_t n = strnlen(type, LUKS_BINDING_SIZE - 1);

	for (size_t i = 0; i < n; i++)
		ret[i] = isalnum((unsigned char)type[i]) || strchr("._-", type[i]) ? type[i] : '?';
	ret[n] = '\0';
}

static bool is_known(const char *binding)
{
	return *binding && luks_binding_dies_with_keyslot(binding);
}

static void read_token(json_object *token, struct luks_bindings *b)
{
	const char *type = token ? field_string(token, "type") : NULL;
	json_object *keyslots = type ? field_get(token, "keyslots", json_type_array) : NULL;

	for (unsigned id = 0; keyslots && id < LUKS_MAX_KEYSLOTS; id++) {
		char *of = b->of[id];

		if (!*of || !ids_contain(keyslots, id))
			continue;
		if (strcmp(of, LUKS_BINDING_NONE) == 0 || (!is_known(of) && is_known(type)))
			copy_clean(of, type);
	}
}

void luks_bindings_read(json_object *metadata, struct luks_bindings *ret)
{
	json_object *keyslots = field_get(metadata, "keyslots", json_type_object);
	json_object *tokens = field_get(metadata, "tokens", json_type_object);

	*ret = (struct luks_bindings){};
	for (unsigned id = 0; keyslots && id < LUKS_MAX_KEYSLOTS; id++)
		if (field_by_id(keyslots, id))
			copy_clean(ret->of[id], LUKS_BINDING_NONE);
	for (unsigned id = 0; tokens && id < LUKS_MAX_TOKENS; id++)
		read_token(field_by_id(tokens, id), ret);
}

const char *luks_binding_note(const char *binding, char buf[static LUKS_BINDING_NOTE])
{
	assert(strlen(binding) < LUKS_BINDING_SIZE);
	*buf = '\0';
	if (*binding && strcmp(binding, LUKS_BINDING_NONE) != 0)
		(void)snprintf(buf, LUKS_BINDING_NOTE, " (%s)", binding);
	return buf;
}

const char *luks_bindings_text(const struct luks_bindings *b, uint32_t keyslots,
			       char buf[static LUKS_BINDINGS_TEXT])
{
	const int n = __builtin_popcount(keyslots);
	size_t used = (size_t)snprintf(buf, LUKS_BINDINGS_TEXT, n == 1 ? "keyslot" : "keyslots");
	int left = n;

	for (unsigned id = 0; id < LUKS_MAX_KEYSLOTS; id++) {
		char note[LUKS_BINDING_NOTE];

		if (!(keyslots & UINT32_C(1) << id))
			continue;
		used += (size_t)snprintf(buf + used, LUKS_BINDINGS_TEXT - used, "%s%u%s",
					 left == n   ? " "
					 : left == 1 ? " and "
						     : ", ",
					 id, luks_binding_note(b->of[id], note));
		assert(used < LUKS_BINDINGS_TEXT);
		left--;
	}
	return buf;
}

static bool leaves_token(const char *binding)
{
	return *binding && strcmp(binding, LUKS_BINDING_NONE) != 0 &&
	       !luks_binding_dies_with_keyslot(binding);
}

static void tell_one(const char *device, unsigned keyslot, const char *binding)
{
	const struct luks_binding_device *d = luks_binding_device(binding);
	char note[LUKS_BINDING_NOTE];

	if (d)
		log_warning("%s: keyslot %u is unlocked by %s (%s) and cannot be carried over "
			    "without it. Afterwards enrol it anew: %s%s%s",
			    device, keyslot, d->name, d->type, d->enrol, device, d->rest);
	else
		log_warning("%s: keyslot %u%s will be lost: its passphrase was not given%s", device,
			    keyslot, luks_binding_note(binding, note),
			    leaves_token(binding) ? "; its token stays behind" : "");
}

void luks_bindings_tell_lost(const char *device, const struct luks_bindings *b, uint32_t lost)
{
	for (unsigned n = 0; n < LUKS_MAX_KEYSLOTS; n++)
		if (lost & UINT32_C(1) << n)
			tell_one(device, n, b->of[n]);
}
