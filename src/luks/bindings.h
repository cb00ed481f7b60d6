/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What opens each keyslot: a passphrase that a person knows, or what its token stands for. A token
 * says so by its type; the tokens of systemd-cryptenroll and clevis are known here. Tokens are
 * hostile text: of another type only letters, digits and "._-" stay.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "luks/fields.h"

#define LUKS_BINDING_SIZE 32
#define LUKS_BINDING_NONE "passphrase" /* the keyslot has no token */

/* of[n]: of keyslot n, LUKS_BINDING_NONE or the type of its token; "": not there, or not known. */
struct luks_bindings {
	char of[LUKS_MAX_KEYSLOTS][LUKS_BINDING_SIZE];
};

/* @metadata: of the header. Of several tokens a known one counts, or else the first. */
void luks_bindings_read(json_object *metadata, struct luks_bindings *ret);

/* A keyslot whose passphrase no person knows. */
struct luks_binding_device {
	const char *type;  /* of the token */
	const char *name;  /* "TPM2" */
	const char *enrol; /* the command that makes such a keyslot, up to the device */
	const char *rest;  /* what follows the device */
};

/* NULL: a person may know the passphrase. */
const struct luks_binding_device *luks_binding_device(const char *binding);

/* Is a token of this @type of no use to anybody once its last keyslot is gone? */
bool luks_binding_dies_with_keyslot(const char *type);

/* " (systemd-recovery)", or "" where there is nothing to be said. Returns @buf. */
#define LUKS_BINDING_NOTE (LUKS_BINDING_SIZE + 4)
const char *luks_binding_note(const char *binding, char buf[static LUKS_BINDING_NOTE]);

/* "keyslot 1 (systemd-recovery)", "keyslots 0, 2 and 3 (clevis)" for the bits of @keyslots. */
#define LUKS_BINDINGS_TEXT 1536
const char *luks_bindings_text(const struct luks_bindings *b, uint32_t keyslots,
			       char buf[static LUKS_BINDINGS_TEXT]);

/*
 * Says of each of @lost (bit n: keyslot n) that it will be lost, and of one that a device opens
 * how to enrol that again. @device is what messages and commands call the volume.
 */
void luks_bindings_tell_lost(const char *device, const struct luks_bindings *b, uint32_t lost);
