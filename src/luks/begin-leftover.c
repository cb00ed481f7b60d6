/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/begin-leftover.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "luks/context.h"
#include "luks/fields.h"
#include "util/log.h"

#define MARK_TYPE "recryptd-begin"
#define MAC_SIZE  32

/* In hexadecimal, with the NUL. */
typedef char mac_text[2 * MAC_SIZE + 1];

/* Of a random key, so that nothing is learnt from it; the UUID tells volumes apart. */
static int make_mac(struct crypt_device *cd, const struct secret *key, mac_text ret)
{
	const char *uuid = crypt_get_uuid(cd);
	uint8_t mac[MAC_SIZE];
	size_t size;

	if (!uuid || !EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key->data, key->size,
				(const uint8_t *)uuid, strlen(uuid), mac, sizeof(mac), &size))
		return -EIO;
	for (size_t i = 0; i < sizeof(mac); i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", mac[i]);
	return 0;
}

static bool is_mark(json_object *token)
{
	const char *type = token ? field_string(token, "type") : NULL;

	return type && strcmp(type, MARK_TYPE) == 0;
}

/* Its number, or CRYPT_ANY_TOKEN; @ret is empty where there is none. */
static int find_mark(struct crypt_device *cd, mac_text ret)
{
	ret[0] = '\0';
	for (int t = 0; t < (int)LUKS_MAX_TOKENS; t++) {
		_cleanup_(json_putp) json_object *token = NULL;
		const char *text, *mac;

		if (crypt_token_json_get(cd, t, &text) < 0)
			continue;
		token = json_tokener_parse(text);
		if (!is_mark(token))
			continue;
		mac = field_string(token, "mac");
		(void)snprintf(ret, sizeof(mac_text), "%s", mac ?: "");
		return t;
	}
	return CRYPT_ANY_TOKEN;
}

static bool holds(const struct luks_begin *b, const struct secret *key, const mac_text marked)
{
	mac_text mac;

	return make_mac(b->cd, key, mac) == 0 && strcmp(mac, marked) == 0;
}

/* A keyslot that gives up is not tried with each of the passphrases. */
static bool came(struct luks_begin *b, const struct luks_keyslot *slot, int r)
{
	if (r < 0)
		(void)luks_given_up_note(&b->given_up, b->params.device, slot->id, r);
	return r >= 0;
}

static bool opens(struct luks_begin *b, const struct luks_keyslot *slot,
		  const struct secret *passphrase, const mac_text marked)
{
	_cleanup_(secret_freep) struct secret *key = NULL;

	return passphrase && !luks_given_up(&b->given_up, slot->id) &&
	       came(b, slot, luks_keyslot_open(b->cd, slot->id, passphrase, &key)) &&
	       holds(b, key, marked);
}

static bool token_opens(struct luks_begin *b, const struct luks_keyslot *slot, int token,
			const mac_text marked)
{
	_cleanup_(secret_freep) struct secret *key = NULL;

	return token >= 0 && slot->tokens & UINT32_C(1) << token &&
	       !luks_given_up(&b->given_up, slot->id) &&
	       came(b, slot, luks_keyslot_open_by_token(b->cd, slot->id, token, &key)) &&
	       holds(b, key, marked);
}

static bool is_leftover(struct luks_begin *b, const struct luks_keyslot *slot,
			const mac_text marked)
{
	if (slot->digest == b->keyslots.data_digest)
		return false;
	for (size_t i = 0; i < b->plan.n_slots; i++)
		if (opens(b, slot, b->openers[i].passphrase, marked) ||
		    token_opens(b, slot, b->openers[i].token, marked))
			return true;
	return opens(b, slot, b->new_passphrase, marked);
}

void luks_begin_find_leftovers(struct luks_begin *b)
{
	struct luks_keyslots *ks = &b->keyslots;
	mac_text marked;
	size_t n = 0;

	(void)find_mark(b->cd, marked);
	if (!*marked)
		return;
	for (size_t i = 0; i < ks->n; i++)
		if (is_leftover(b, &ks->slots[i], marked))
			b->leftovers |= UINT32_C(1) << ks->slots[i].id;
		else
			ks->slots[n++] = ks->slots[i];
	ks->n = n;
}

int luks_begin_remove_leftovers(struct luks_begin *b)
{
	for (int slot = 0; slot < (int)LUKS_MAX_KEYSLOTS; slot++) {
		int r;

		if (!(b->leftovers & UINT32_C(1) << slot))
			continue;
		r = crypt_keyslot_destroy(b->cd, slot);
		if (r < 0)
			return log_error_errno(r,
					       "%s: cannot remove keyslot %d, left by an attempt "
					       "that was killed",
					       b->params.device, slot);
		log_info("Key slot %d, left by an attempt that was killed, removed.", slot);
	}
	return 0;
}

void luks_begin_drop_mark(json_object *json)
{
	json_object *tokens = field_get(json, "tokens", json_type_object);

	for (unsigned t = 0; t < LUKS_MAX_TOKENS; t++)
		if (is_mark(field_by_id(tokens, t)))
			field_delete_id(tokens, t);
}
