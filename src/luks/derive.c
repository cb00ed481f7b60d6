/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/derive.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <poll.h>
#include <string.h>

#include "crypto/hash.h"
#include "luks/fields.h"
#include "util/checked.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/log.h"

#define SECOND UINT64_C(1000000)

/* So many iterations take about a millisecond. */
#define ITERATIONS_BETWEEN_LOOKS 4096

static struct luks_derive_policy policy = {.stop_fd = -1};
static uint64_t work_deadline = UINT64_MAX;
static struct luks_reason last;

void luks_derive_set_policy(const struct luks_derive_policy *p)
{
	policy = *p;
}

const struct luks_derive_policy *luks_derive_policy(void)
{
	return &policy;
}

void luks_derive_set_deadline(uint64_t deadline)
{
	work_deadline = deadline;
}

uint64_t luks_derive_deadline(unsigned n)
{
	uint64_t usec, deadline;

	if (policy.timeout_usec == 0 || mul_u64(policy.timeout_usec, n, &usec) < 0 ||
	    add_u64(now_usec(), usec, &deadline) < 0)
		return work_deadline;
	return MIN(deadline, work_deadline);
}

int luks_derive_check(uint64_t deadline)
{
	struct pollfd stop = {.fd = policy.stop_fd, .events = POLLIN};

	if (policy.stop_fd >= 0 && poll(&stop, 1, 0) > 0)
		return -ECANCELED;
	return now_usec() >= deadline ? -ETIMEDOUT : 0;
}

const char *luks_derive_why(void)
{
	return last.text;
}

int luks_derive_note(int error, const struct luks_reason *why)
{
	last = *why;
	return error;
}

int luks_derive_give_up(int error, const char *what)
{
	if (error == -ECANCELED)
		return luks_refuse(&last, error, "interrupted; nothing was changed");
	if (error == -ERROR_COST_TOO_HIGH)
		return luks_refuse(
			&last, error,
			"%.100s: the process that derived its key died; the kernel's log "
			"says whether memory ran out",
			what);
	return luks_refuse(
		&last, error,
		"%.100s: deriving its key takes longer than %" PRIu64
		" s; raise the limit (--key-timeout, KeyTimeout=) if the volume is yours",
		what, policy.timeout_usec / SECOND);
}

int luks_given_up_note(struct luks_given_up *g, const char *device, int keyslot, int r)
{
	assert(r < 0 && keyslot >= 0 && keyslot < (int)LUKS_MAX_KEYSLOTS);
	if (r == -ECANCELED)
		return log_refusal(r, "%s: %s", device, last.text);
	if (!luks_derive_gave_up(r)) {
		log_debug("%s: keyslot %d does not open: %s", device, keyslot, error_text(r));
		return r == -ENOMEM || r == -ERROR_HEADER_CHANGED ? r : 0;
	}
	log_notice("%s: %s; the keyslot is left out", device, last.text);
	g->keyslots |= UINT32_C(1) << keyslot;
	if (g->error == 0) {
		g->error = r;
		g->why = last;
	}
	return 0;
}

int luks_given_up_refuse(const struct luks_given_up *g, const char *device)
{
	return g->error < 0 ? log_refusal(g->error, "%s: %s", device, g->why.text) : 0;
}

int luks_derive_no_hash(const char *what, const char *hash)
{
	return luks_refuse(&last, -ERROR_UNKNOWN_HASH,
			   "%.100s: OpenSSL here has no hash \"%.32s\" (is its legacy provider "
			   "installed?)",
			   what, hash);
}

static int new_hmac(const struct luks_pbkdf2 *p, const struct secret *password, EVP_MAC_CTX **ret)
{
	EVP_MAC_CTX *ctx;
	int r = hash_new_hmac(p->hash, &ctx);

	if (r < 0)
		return r == -EOPNOTSUPP ? luks_derive_no_hash(p->what, p->hash) : r;
	if (EVP_MAC_init(ctx, password->data, password->size, NULL) != 1) {
		EVP_MAC_CTX_free(ctx);
		return -EIO;
	}
	*ret = ctx;
	return 0;
}

/* u = HMAC(u), again and again; t is the sum of all. */
static int iterate(EVP_MAC_CTX *ctx, uint8_t *u, uint8_t *t, size_t size, uint32_t n,
		   uint64_t deadline)
{
	for (uint32_t i = 1; i < n; i++) {
		if (i % ITERATIONS_BETWEEN_LOOKS == 0) {
			int r = luks_derive_check(deadline);

			if (r < 0)
				return r;
		}
		if (EVP_MAC_init(ctx, NULL, 0, NULL) != 1 || EVP_MAC_update(ctx, u, size) != 1 ||
		    EVP_MAC_final(ctx, u, &size, size) != 1)
			return -EIO;
		for (size_t k = 0; k < size; k++)
			t[k] ^= u[k];
	}
	return 0;
}

/* The memory of one block, which is to be wiped. */
struct pbkdf2_block {
	uint8_t u[EVP_MAX_MD_SIZE], t[EVP_MAX_MD_SIZE];
};

static int make_block(EVP_MAC_CTX *ctx, const struct luks_pbkdf2 *p, uint64_t deadline,
		      struct pbkdf2_block *b, uint8_t *out, size_t size)
{
	static const uint8_t number[] = {0, 0, 0, 1};
	const size_t hash_size = EVP_MAC_CTX_get_mac_size(ctx);
	size_t n = hash_size;
	int r;

	assert(size <= hash_size && hash_size <= sizeof(b->u));
	if (EVP_MAC_update(ctx, p->salt, p->salt_size) != 1 ||
	    EVP_MAC_update(ctx, number, sizeof(number)) != 1 ||
	    EVP_MAC_final(ctx, b->u, &n, sizeof(b->u)) != 1)
		return -EIO;
	memcpy(b->t, b->u, hash_size);
	r = iterate(ctx, b->u, b->t, hash_size, p->iterations, deadline);
	if (r < 0)
		return r;
	memcpy(out, b->t, size);
	return 0;
}

/* The first block of RFC 8018's PBKDF2, which is all that a digest has. */
static int first_block(EVP_MAC_CTX *ctx, const struct luks_pbkdf2 *p, uint64_t deadline,
		       uint8_t *out, size_t size)
{
	struct pbkdf2_block b;
	int r = make_block(ctx, p, deadline, &b, out, size);

	OPENSSL_cleanse(&b, sizeof(b));
	return r;
}

int luks_derive_pbkdf2(const struct luks_pbkdf2 *p, const struct secret *password, uint8_t *out,
		       size_t size)
{
	const uint64_t deadline = luks_derive_deadline(1);
	struct luks_reason why = {};
	EVP_MAC_CTX *ctx = NULL;
	int r;

	assert(p->iterations > 0);
	r = luks_cost_check_digest(p->what, p->iterations, &policy.limits, &why);
	if (r < 0)
		return luks_derive_note(r, &why);
	r = new_hmac(p, password, &ctx);
	if (r < 0)
		return r;
	r = first_block(ctx, p, deadline, out, size);
	EVP_MAC_CTX_free(ctx);
	return luks_derive_gave_up(r) ? luks_derive_give_up(r, p->what) : r;
}
