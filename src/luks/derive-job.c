/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/derive-job.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "luks/context.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/log.h"

#define FIRST_SIZE 16384U
#define NOTHING    UINT32_MAX /* in place of a size: NULL */
#define HASH_SIZE  32         /* of SHA-256 */

static int make_room(struct derive_writer *w, size_t size)
{
	struct secret *larger;
	int r;

	assert(w->used <= w->s->size);
	if (size <= w->s->size - w->used)
		return 0;
	r = secret_new((w->s->size + size) * 2, &larger);
	if (r < 0)
		return r;
	memcpy(larger->data, w->s->data, w->used);
	secret_free(w->s);
	w->s = larger;
	return 0;
}

void derive_put(struct derive_writer *w, const void *data, size_t size)
{
	if (w->error == 0)
		w->error = make_room(w, size);
	if (w->error < 0)
		return;
	memcpy(w->s->data + w->used, data, size);
	w->used += size;
}

void derive_put_data(struct derive_writer *w, const void *data, size_t size)
{
	const uint32_t n = data ? (uint32_t)size : NOTHING;

	assert(size < NOTHING);
	derive_put(w, &n, sizeof(n));
	if (data)
		derive_put(w, data, size);
}

void derive_put_text(struct derive_writer *w, const char *text)
{
	derive_put_data(w, text, text ? strlen(text) : 0);
}

void derive_put_secret(struct derive_writer *w, const struct secret *s)
{
	derive_put_data(w, s ? s->data : NULL, s ? s->size : 0);
}

static int hash_header(struct crypt_device *cd, uint8_t ret[static HASH_SIZE])
{
	const char *text;
	int r = crypt_dump_json(cd, &text, 0);

	if (r < 0)
		return r;
	return EVP_Digest(text, strlen(text), ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}

static int find_context(struct crypt_device *cd, uint8_t ret_hash[static HASH_SIZE],
			struct luks_place *ret_place)
{
	int r = hash_header(cd, ret_hash);

	return r < 0 ? r : luks_context_place(cd, ret_place);
}

void derive_put_context(struct derive_writer *w, struct crypt_device *cd)
{
	_cleanup_(luks_place_clear) struct luks_place place = LUKS_PLACE_NONE;
	uint8_t hash[HASH_SIZE];
	int r = find_context(cd, hash, &place);

	if (r < 0 && w->error == 0)
		w->error = r;
	derive_put_text(w, place.data.path);
	derive_put_text(w, place.detached ? place.header.path : NULL);
	derive_put(w, hash, sizeof(hash));
}

int derive_job_begin(enum derive_operation operation, struct derive_writer *ret)
{
	const struct derive_job_head head = {
		.operation = operation,
		.log_level = log_level(),
		.limits = luks_derive_policy()->limits,
	};
	struct derive_writer w = {};
	int r = secret_new(FIRST_SIZE, &w.s);

	if (r < 0)
		return r;
	derive_put(&w, &head, sizeof(head));
	*ret = w;
	return 0;
}

int derive_job_end(struct derive_writer *w, struct secret **ret)
{
	if (w->error < 0) {
		w->s = secret_free(w->s);
		return w->error;
	}
	secret_truncate(w->s, w->used);
	*ret = TAKE_PTR(w->s);
	return 0;
}

static const uint8_t *take_bytes(struct derive_reader *r, size_t size)
{
	const uint8_t *data;

	assert(r->at <= r->s->size);
	if (r->error == 0 && size > r->s->size - r->at)
		r->error = -EBADMSG;
	if (r->error < 0)
		return NULL;
	data = r->s->data + r->at;
	r->at += size;
	return data;
}

void derive_get(struct derive_reader *r, void *ret, size_t size)
{
	const uint8_t *data = take_bytes(r, size);

	if (data)
		memcpy(ret, data, size);
	else
		memset(ret, 0, size);
}

static const uint8_t *take_data(struct derive_reader *r, uint32_t *ret_size)
{
	derive_get(r, ret_size, sizeof(*ret_size));
	return r->error < 0 || *ret_size == NOTHING ? NULL : take_bytes(r, *ret_size);
}

char *derive_get_text(struct derive_reader *r)
{
	uint32_t size;
	const uint8_t *data = take_data(r, &size);
	char *text = data ? strndup((const char *)data, size) : NULL;

	if (data && !text)
		r->error = -ENOMEM;
	return text;
}

struct secret *derive_get_secret(struct derive_reader *r)
{
	struct secret *s = NULL;
	uint32_t size;
	const uint8_t *data = take_data(r, &size);

	if (data) {
		int e = secret_copy(data, size, &s);

		r->error = e < 0 ? e : r->error;
	}
	return s;
}

int derive_get_context(struct derive_reader *r, struct luks_place *place, struct crypt_device **ret)
{
	_cleanup_(luks_context_closep) struct crypt_device *cd = NULL;
	_cleanup_free_ char *device = derive_get_text(r), *header = derive_get_text(r);
	uint8_t expected[HASH_SIZE], hash[HASH_SIZE];
	int e;

	derive_get(r, expected, sizeof(expected));
	if (r->error < 0 || !device)
		return r->error < 0 ? r->error : -EBADMSG;
	e = luks_place_adopt(r->data_fd, device, r->header_fd, header, place);
	if (e < 0)
		return e;
	e = luks_context_open(place, &cd);
	if (e < 0)
		return e;
	e = hash_header(cd, hash);
	if (e < 0)
		return e;
	if (memcmp(hash, expected, sizeof(hash)) != 0)
		return log_refusal(
			-ERROR_HEADER_CHANGED,
			"%s: another program has changed the header meanwhile; try again",
			place->header.path);
	*ret = TAKE_PTR(cd);
	return 0;
}

int derive_get_frame(struct derive_reader *r, struct derive_frame *ret, const uint8_t **ret_data)
{
	if (r->at == r->s->size)
		return 0;
	derive_get(r, ret, sizeof(*ret));
	*ret_data = take_bytes(r, ret->size);
	return r->error < 0 ? r->error : 1;
}

static int take_end(const struct derive_frame *f, const uint8_t *data)
{
	if (luks_derive_gave_up(f->value)) {
		struct luks_reason why;

		(void)luks_refuse(&why, 0, "%.*s", (int)f->size, (const char *)data);
		return luks_derive_note(f->value, &why);
	}
	/* The child read what somebody else wrote: it says 0 or a negative errno, or it is not
	 * heard. */
	return f->value > 0 ? -EBADMSG : f->value;
}

typedef int (*derive_frame_handler)(void *arg, const struct derive_frame *f, const uint8_t *data);

/* 1: the answer has no end. */
static int read_answer(const struct secret *said, derive_frame_handler frame, void *arg)
{
	struct derive_reader reader = {.s = said};
	struct derive_frame f;
	const uint8_t *data;

	while (derive_get_frame(&reader, &f, &data) > 0) {
		int r;

		if (f.kind == DERIVE_END)
			return take_end(&f, data);
		if (f.kind == DERIVE_LOG) {
			log_message(f.value, "%.*s", (int)f.size, (const char *)data);
			continue;
		}
		r = frame(arg, &f, data);
		if (r < 0)
			return r;
	}
	return 1;
}

/* *ret_said also where it fails: what the process said until then. */
static int run_job(const struct secret *job, struct crypt_device *cd, uint64_t deadline,
		   struct secret **ret_said)
{
	_cleanup_(luks_place_clear) struct luks_place place = LUKS_PLACE_NONE;
	const struct luks_derive_policy *p = luks_derive_policy();
	int r = luks_derive_check(deadline);

	if (r < 0)
		return r;
	r = luks_context_place(cd, &place);
	return r < 0 ? r : p->run(job, &place, p->stop_fd, deadline, ret_said);
}

int derive_elsewhere(const struct secret *job, struct crypt_device *cd, unsigned n,
		     const char *what, derive_frame_handler frame, void *arg)
{
	_cleanup_(secret_freep) struct secret *said = NULL;
	int r, end = 1;

	assert(luks_derive_policy()->run && n > 0);
	r = run_job(job, cd, luks_derive_deadline(n), &said);
	if (said)
		end = read_answer(said, frame, arg);
	/* A signal of the terminal ends that process as well as us. */
	if (r == 0 && end == 1)
		r = luks_derive_check(UINT64_MAX);
	if (luks_derive_gave_up(r))
		return luks_derive_give_up(r, what);
	if (r < 0)
		return log_error_errno(r, "%s: no process can be started to derive its key", what);
	return end == 1 ? luks_derive_give_up(-ERROR_COST_TOO_HIGH, what) : end;
}

int derive_send(const struct derive_channel *c, enum derive_frame_kind kind, int value,
		const void *data, size_t size)
{
	const struct derive_frame f = {.kind = kind, .value = value, .size = (uint32_t)size};
	int r;

	assert(size <= UINT32_MAX);
	r = c->send(&f, sizeof(f));
	return r < 0 || size == 0 ? r : c->send(data, size);
}

int derive_job_head(const struct secret *job, struct derive_job_head *ret)
{
	struct derive_reader r = {.s = job};

	derive_get(&r, ret, sizeof(*ret));
	return r.error;
}
