/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keyslots of the old key that were opened each get a copy with the new key. libcryptsetup then
 * wants one passphrase that opens both an old and a new keyslot. Where there is none (everything
 * was opened by tokens, or by the volume key itself), a random one is put into two keyslots for
 * that moment: the bridge. All of that happens in the draft, so a bridge never gets to the disk.
 *
 *      old keyslot --opened by--> passphrase or token --put into--> new keyslot
 *      (bridge, old key) <--------- random ---------------> (bridge, new key)
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "crypto/cipher-spec.h"
#include "luks/begin-internal.h"
#include "luks/begin-leftover.h"
#include "luks/begin-strength.h"
#include "luks/context.h"
#include "luks/json-text.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/log.h"

#define BRIDGE_SIZE 64 /* bytes of a random passphrase */

/* What LUKS2 encrypts keyslot areas with. */
#define AREA_CIPHER   "aes-xts-plain64"
#define AREA_KEY_SIZE 64 /* bytes */

/* Bytes that the JSON area has left; what a re-encryption adds may have found no room there. */
#define LITTLE_ROOM UINT64_C(2048)

static int json_room(struct crypt_device *cd, uint64_t *ret_used, uint64_t *ret_size)
{
	_cleanup_(json_putp) json_object *json = NULL;
	_cleanup_free_ char *text = NULL;
	uint64_t size, areas;
	size_t used;
	int r = crypt_get_metadata_size(cd, &size, &areas);

	if (r < 0)
		return r;
	r = luks_dump_json(cd, &json);
	if (r < 0)
		return r;
	if (size <= LUKS_HEADER_BINARY_SIZE)
		return -EINVAL;
	size -= LUKS_HEADER_BINARY_SIZE;
	text = malloc(size);
	if (!text)
		return -ENOMEM;
	r = json_text_write(json, text, size, &used);
	if (r == -ENOSPC)
		used = size;
	else if (r < 0)
		return r;
	*ret_used = used;
	*ret_size = size;
	return 0;
}

/* libcryptsetup does not tell this from other failures. */
static bool json_is_full(const struct luks_begin *b)
{
	uint64_t used, size;

	if (json_room(b->cd, &used, &size) < 0 || used + LITTLE_ROOM <= size)
		return false;
	log_error("%s: the LUKS2 header has no room for what a re-encryption adds: %" PRIu64
		  " of %" PRIu64
		  " bytes of its JSON area are used; remove tokens that nobody needs "
		  "(cryptsetup token remove), or carry fewer keyslots over (--key-slot)",
		  b->params.device, used, size);
	return true;
}

static int fail_begin(const struct luks_begin *b, int r, const char *what)
{
	const char *why = luks_context_error();

	if (json_is_full(b))
		return -ENOSPC;
	log_error("%s: %s: %s", b->params.device, what, *why ? why : error_text(r));
	return r;
}

static int set_pbkdf(struct luks_begin *b, int keyslot)
{
	struct crypt_pbkdf_type pbkdf;
	int r = luks_begin_pbkdf(b, keyslot, &pbkdf);

	return r < 0 ? r : crypt_set_pbkdf_type(b->cd, &pbkdf);
}

/* A random passphrase of 64 bytes needs no slow PBKDF. */
static int set_fast_pbkdf(struct luks_begin *b)
{
	static const struct crypt_pbkdf_type fast = {
		.type = CRYPT_KDF_PBKDF2,
		.hash = "sha256",
		.iterations = 1000,
		.flags = CRYPT_PBKDF_NO_BENCHMARK,
	};

	return crypt_set_pbkdf_type(b->cd, &fast);
}

/* The first keyslot of the new key makes its digest, the others share it. */
static uint32_t new_key_flags(bool first)
{
	return CRYPT_VOLUME_KEY_NO_SEGMENT | (first ? 0 : CRYPT_VOLUME_KEY_DIGEST_REUSE);
}

static int add_by_passphrase(struct luks_begin *b, const struct secret *passphrase, bool first)
{
	return crypt_keyslot_add_by_key(b->cd, CRYPT_ANY_SLOT, (const char *)b->new_key->data,
					b->new_key->size, (const char *)passphrase->data,
					passphrase->size, new_key_flags(first));
}

static int add_by_token(struct luks_begin *b, int token, bool first)
{
	_cleanup_(crypt_keyslot_context_freep) struct crypt_keyslot_context *key = NULL,
									    *opener = NULL;
	int r;

	r = crypt_keyslot_context_init_by_volume_key(b->cd, (const char *)b->new_key->data,
						     b->new_key->size, &key);
	if (r < 0)
		return r;
	r = crypt_keyslot_context_init_by_token(b->cd, token, NULL, NULL, 0, NULL, &opener);
	if (r < 0)
		return r;
	return crypt_keyslot_add_by_keyslot_context(b->cd, CRYPT_ANY_SLOT, key, CRYPT_ANY_SLOT,
						    opener, new_key_flags(first));
}

/* Also makes the old key's keyslots: an old key that is given needs one that opens by passphrase.
 */
static int add_old_key(struct luks_begin *b, const struct secret *passphrase)
{
	return crypt_keyslot_add_by_volume_key(b->cd, CRYPT_ANY_SLOT,
					       (const char *)b->old_key->data, b->old_key->size,
					       (const char *)passphrase->data, passphrase->size);
}

/* Priority and tokens of @from for @to. */
static int copy_attributes(struct luks_begin *b, const struct luks_begin_slot *from, int to)
{
	crypt_keyslot_priority priority = crypt_keyslot_get_priority(b->cd, from->keyslot);
	int r;

	if (priority == CRYPT_SLOT_PRIORITY_INVALID)
		return -EINVAL;
	if (priority != CRYPT_SLOT_PRIORITY_NORMAL) {
		r = crypt_keyslot_set_priority(b->cd, to, priority);
		if (r < 0)
			return r;
	}
	for (int t = 0; t < (int)LUKS_MAX_TOKENS; t++) {
		if (!(from->tokens & UINT32_C(1) << t))
			continue;
		r = crypt_token_assign_keyslot(b->cd, t, to);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * The keyslot area is encrypted as that of the old keyslot. A volume of cipher_null that was LUKS1
 * before has areas of cipher_null: they would show the new key to everybody.
 */
static int set_encryption(struct luks_begin *b, int keyslot)
{
	size_t key_size;
	const char *cipher = crypt_keyslot_get_encryption(b->cd, keyslot, &key_size);

	if (cipher && cipher_is_null(cipher))
		return crypt_keyslot_set_encryption(b->cd, AREA_CIPHER, AREA_KEY_SIZE);
	return cipher ? crypt_keyslot_set_encryption(b->cd, cipher, key_size) : -EINVAL;
}

static int set_up_copy(struct luks_begin *b, int keyslot)
{
	int r = set_encryption(b, keyslot);

	return r < 0 ? r : set_pbkdf(b, keyslot);
}

static int add_copy(struct luks_begin *b, size_t i, bool first)
{
	const struct luks_begin_slot *old = &b->plan.slots[i];
	int r;

	assert(luks_begin_is_open(b, i) && !b->plan.keeps_key);
	r = set_up_copy(b, old->keyslot);
	if (r < 0)
		return fail_begin(b, r, "cannot set up a new keyslot");
	r = b->openers[i].passphrase ? add_by_passphrase(b, b->openers[i].passphrase, first)
				     : add_by_token(b, b->openers[i].token, first);
	if (r < 0)
		return fail_begin(b, r, "cannot add a keyslot");
	if (luks_begin_check_made(b, old->keyslot, r) < 0)
		return -EINVAL;
	log_info("Key slot %d created.", r);
	if (copy_attributes(b, old, r) < 0)
		return fail_begin(b, -EIO, "cannot copy priority and tokens of a keyslot");
	b->numbers.original[r] = old->keyslot;
	return r;
}

/* What libcryptsetup needs to start: a passphrase, and a keyslot of each key that it opens. */
struct start {
	const struct secret *passphrase;
	int old_slot, new_slot;
	bool has_digest; /* of the new key */
};

static int add_copies(struct luks_begin *b, struct start *start)
{
	for (size_t i = 0; i < b->plan.n_slots; i++) {
		int r;

		if (!luks_begin_is_open(b, i))
			continue;
		r = b->plan.keeps_key ? b->plan.slots[i].keyslot
				      : add_copy(b, i, !start->has_digest);
		if (r < 0)
			return r;
		start->has_digest = true;
		if (!b->openers[i].passphrase || start->passphrase)
			continue;
		start->passphrase = b->openers[i].passphrase;
		start->old_slot = b->plan.slots[i].keyslot;
		start->new_slot = r;
	}
	return 0;
}

/* One passphrase for a keyslot of each key. */
static int add_pair(struct luks_begin *b, const struct secret *passphrase, struct start *start)
{
	int r = add_old_key(b, passphrase);

	if (r < 0)
		return fail_begin(b, r, "cannot add a keyslot");
	start->old_slot = start->new_slot = r;
	if (!b->plan.keeps_key) {
		r = add_by_passphrase(b, passphrase, !start->has_digest);
		if (r < 0)
			return fail_begin(b, r, "cannot add a keyslot");
		start->new_slot = r;
	}
	start->passphrase = passphrase;
	return 0;
}

static int add_bridge(struct luks_begin *b, struct secret **bridge, struct start *start)
{
	int r;

	r = secret_new(BRIDGE_SIZE, bridge);
	if (r < 0)
		return r;
	if (getrandom((*bridge)->data, BRIDGE_SIZE, 0) != BRIDGE_SIZE)
		return -EIO;
	r = set_fast_pbkdf(b);
	if (r < 0)
		return fail_begin(b, r, "cannot set up a keyslot");
	return add_pair(b, *bridge, start);
}

/* "aes-xts-plain64" is given as "aes" and "xts-plain64". */
static int init_reencryption(struct luks_begin *b, const struct start *start)
{
	char cipher[sizeof(b->plan.new_cipher)], *mode;
	struct crypt_params_luks2 luks2 = {.sector_size = b->plan.new_sector_size};
	const struct crypt_params_reencrypt params = {
		.mode = CRYPT_REENCRYPT_REENCRYPT,
		.direction = CRYPT_REENCRYPT_FORWARD,
		.resilience = b->params.resilience,
		.hash = b->params.resilience_hash,
		.device_size = b->params.device_size >> SECTOR_SHIFT,
		.luks2 = &luks2,
		.flags = CRYPT_REENCRYPT_INITIALIZE_ONLY,
	};
	int r;

	assert(start->passphrase);
	memcpy(cipher, b->plan.new_cipher, sizeof(cipher));
	mode = strchr(cipher, '-');
	assert(mode);
	*mode++ = '\0';
	luks_context_capture_log();
	r = crypt_reencrypt_init_by_passphrase(b->cd, NULL, (const char *)start->passphrase->data,
					       start->passphrase->size, start->old_slot,
					       start->new_slot, cipher, mode, &params);
	return r < 0 ? fail_begin(b, r, "cannot begin the re-encryption") : 0;
}

static int destroy_pair(struct luks_begin *b, const struct start *start)
{
	int r = crypt_keyslot_destroy(b->cd, start->old_slot);

	if (r < 0 || start->new_slot == start->old_slot)
		return r;
	return crypt_keyslot_destroy(b->cd, start->new_slot);
}

static int remove_bridge(struct luks_begin *b, const struct start *start)
{
	int r = destroy_pair(b, start);

	return r < 0 ? fail_begin(b, r, "cannot remove the temporary keyslots") : 0;
}

/* Keyslots that can be opened by a passphrase of the user's, or else the bridge. */
static int add_start(struct luks_begin *b, struct start *start, struct secret **bridge)
{
	int r;

	if (!b->new_passphrase)
		return start->passphrase ? 0 : add_bridge(b, bridge, start);
	r = set_pbkdf(b, -1);
	return r < 0 ? r : add_pair(b, b->new_passphrase, start);
}

int luks_begin_here(struct luks_begin *b)
{
	_cleanup_(secret_freep) struct secret *bridge = NULL;
	struct start start = {0};
	int r;

	b->numbers = (struct luks_numbers)LUKS_NUMBERS_NONE;
	luks_context_capture_log();
	r = add_copies(b, &start);
	if (r < 0)
		return r;
	r = add_start(b, &start, &bridge);
	if (r < 0)
		return r;
	r = init_reencryption(b, &start);
	return r < 0 || !bridge ? r : remove_bridge(b, &start);
}

/* Not in the same commit: a new keyslot may get the area of one that goes. */
static int remove_leftovers(struct luks_begin *b)
{
	int r;

	if (!b->leftovers)
		return 0;
	r = luks_begin_remove_leftovers(b);
	return r < 0 ? r : luks_draft_stage(b->draft);
}

/* Without it nothing is lost but the numbers. */
static int note_numbers(struct luks_begin *b)
{
	int r = luks_numbers_note(b->header->json, b->header->size, &b->numbers);

	b->numbers_change = r == -ENOSPC;
	return r == -ENOSPC ? 0 : r;
}

static int make_header(struct luks_begin *b)
{
	int r = remove_leftovers(b);

	if (r < 0)
		return r;
	r = luks_derive_policy()->run ? luks_begin_elsewhere(b) : luks_begin_here(b);
	if (luks_derive_gave_up(r))
		return log_refusal(r, "%s: %s", b->params.device, luks_derive_why());
	if (r < 0)
		return r;
	r = luks_draft_read(b->draft, &b->header, &b->io);
	return r < 0 ? r : note_numbers(b);
}

int luks_begin_make(struct luks_begin *b, struct luks_header **ret, struct meta_io **ret_io)
{
	int r;

	assert(b->cd && b->draft && !b->header); /* once */
	r = make_header(b);
	b->cd = luks_context_close(b->cd);
	if (r < 0)
		return r;
	*ret = b->header;
	*ret_io = b->io;
	return 0;
}

int luks_begin_commit(struct luks_begin *b, struct secret **ret_old_key,
		      struct secret **ret_new_key)
{
	struct luks_header *header;
	struct meta_io *io;
	int r;

	assert(b->old_key && b->new_key); /* once */
	r = b->header ? 0 : luks_begin_make(b, &header, &io);
	if (r < 0)
		return r;
	r = luks_draft_put(b->draft);
	if (r < 0)
		return r;
	if (b->numbers_change)
		log_notice("%s: the LUKS2 header has no room to note the numbers of the keyslots; "
			   "they will have other numbers when the re-encryption is complete",
			   b->params.device);
	*ret_old_key = TAKE_PTR(b->old_key);
	*ret_new_key = TAKE_PTR(b->new_key);
	return 0;
}
