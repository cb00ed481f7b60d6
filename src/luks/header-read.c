/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading the header: each copy is judged alone, then the winner is picked.
 *
 *   primary     secondary         winner
 *   valid       valid             the higher sequence number; the primary when equal
 *   valid       anything else     primary, the secondary is to be repaired
 *   not valid   valid             secondary, looked for at all offsets that the format has
 */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "luks/header-disk.h"
#include "luks/header.h"
#include "luks/validate.h"
#include "util/checked.h"
#include "util/uuid.h"

#define JSON_DEPTH 32 /* as in cryptsetup */

/* From worst to best. */
enum verdict {
	COPY_ABSENT,    /* no magic */
	COPY_VERSION,   /* LUKS, but not version 2 */
	COPY_TOO_LARGE, /* does not fit on the device */
	COPY_UNREADABLE,
	COPY_DAMAGED, /* checksum or binary fields are wrong */
	COPY_INVALID, /* whole, but its JSON breaks the rules */
	COPY_VALID,
};

struct copy {
	enum verdict verdict;
	int error;  /* of COPY_UNREADABLE; -ENOMEM says nothing of the copy */
	bool zeros; /* COPY_ABSENT: nothing but zeros there */
	struct luks_header_disk *disk;
	json_object *json;
	struct luks_reason why;
};

static void copy_clear(struct copy *c)
{
	free(c->disk);
	json_object_put(c->json);
	*c = (struct copy){0};
}

static void judge(struct copy *c, enum verdict verdict, const char *text)
{
	c->verdict = verdict;
	if (text)
		(void)luks_refuse(&c->why, 0, "%s", text);
}

static bool is_zero(const void *data, size_t size)
{
	const uint8_t *p = data;

	assert(size > 0);
	return p[0] == 0 && memcmp(p, p + 1, size - 1) == 0;
}

static bool is_terminated(const char *field, size_t size)
{
	return memchr(field, 0, size) != NULL;
}

/*
 * It becomes a part of the names of lock files and devices, and is compared with those of others:
 * only the form that cryptsetup writes, and that uuid_parse(3) takes, which is in either case.
 */
static bool is_uuid(const char *field, size_t size)
{
	char canonical[UUID_TEXT_SIZE];

	return strnlen(field, size) == UUID_TEXT_SIZE - 1 && uuid_canonical(field, canonical) == 0;
}

static bool is_header_size(uint64_t size)
{
	return is_power_of_2(size) && size >= LUKS_HEADER_MIN_SIZE && size <= LUKS_HEADER_MAX_SIZE;
}

/* The binary header at @offset, before anything that it says is used. */
static void judge_binary(struct copy *c, const struct luks_header_disk *d, enum luks_copy which,
			 uint64_t offset, uint64_t device_size)
{
	const uint64_t size = be64toh(d->size);

	if (memcmp(d->magic, luks_magic[which], LUKS_MAGIC_SIZE) != 0) {
		c->zeros = is_zero(d, sizeof(*d));
		judge(c, COPY_ABSENT, "there is no LUKS signature");
	} else if (be16toh(d->version) != 2)
		judge(c, COPY_VERSION, "the LUKS version is not 2");
	else if (be64toh(d->offset) != offset)
		judge(c, COPY_DAMAGED, "it says that it belongs elsewhere");
	else if (!is_header_size(size) || (which == LUKS_SECONDARY && size != offset))
		judge(c, COPY_DAMAGED, "its size is wrong");
	else if (!is_terminated(d->checksum_alg, sizeof(d->checksum_alg)))
		judge(c, COPY_DAMAGED, "the name of its checksum has no end");
	else if (!is_uuid(d->uuid, sizeof(d->uuid)))
		judge(c, COPY_DAMAGED, "its UUID does not have the form of one");
	else if (2 * size > device_size)
		judge(c, COPY_TOO_LARGE, "it is larger than the device");
	else
		judge(c, COPY_VALID, NULL);
}

/* The JSON text starts with '{', and nothing but NUL follows it, at least one. */
static void judge_json(struct copy *c, uint64_t size)
{
	const char *text = (const char *)c->disk + LUKS_HEADER_BINARY_SIZE;
	const size_t area = (size_t)(size - LUKS_HEADER_BINARY_SIZE);
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
	size_t end;

	assert(is_header_size(size)); /* judge_binary() has seen to that */
	if (!tokener) {
		c->error = -ENOMEM;
		judge(c, COPY_UNREADABLE, "there is no memory to read it");
		return;
	}
	c->json = json_tokener_parse_ex(tokener, text, (int)area);
	end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);

	if (text[0] != '{' || !json_object_is_type(c->json, json_type_object))
		judge(c, COPY_INVALID, "its JSON cannot be parsed");
	else if (end >= area || !is_zero(text + end, area - end))
		judge(c, COPY_INVALID, "something follows its JSON");
	else if (luks_validate(c->json, size, &c->why) < 0)
		c->verdict = COPY_INVALID;
}

static void judge_whole(struct copy *c, uint64_t size)
{
	uint8_t checksum[64];
	int r;

	r = luks_header_checksum(c->disk->checksum_alg, c->disk, size, checksum);
	/* What every OpenSSL has is missing only where there is no memory to make it ready. */
	if (r < 0 && (r != -EOPNOTSUPP || strcmp(c->disk->checksum_alg, "sha256") == 0)) {
		c->error = -ENOMEM;
		judge(c, COPY_UNREADABLE, "there is no memory to compute its checksum");
	} else if (r < 0)
		judge(c, COPY_DAMAGED, "its checksum cannot be computed");
	else if (memcmp(checksum, c->disk->checksum, sizeof(checksum)) != 0)
		judge(c, COPY_DAMAGED, "its checksum is wrong");
	else
		judge_json(c, size);
}

/* The first bytes of the device, in one read: both copies, where they have the usual size. */
#define HEAD_SIZE (2 * LUKS_HEADER_MIN_SIZE)

struct source {
	struct meta_io *io;
	uint8_t *head; /* NULL: what is wanted is read from the device */
};

/* Where a part of it cannot be read, each copy is read for itself. */
static int source_init(struct source *s, struct meta_io *io)
{
	*s = (struct source){.io = io};
	if (io->size < HEAD_SIZE)
		return 0;
	s->head = aligned_alloc(4096, HEAD_SIZE);
	if (!s->head)
		return -ENOMEM;
	if (meta_io_read(io, 0, s->head, HEAD_SIZE) < 0) {
		free(s->head);
		s->head = NULL;
	}
	return 0;
}

static int source_read(const struct source *s, uint64_t offset, void *to, size_t size)
{
	if (!s->head || !range_inside(offset, size, HEAD_SIZE))
		return meta_io_read(s->io, offset, to, size);
	memcpy(to, s->head + offset, size);
	return 0;
}

static void copy_read(const struct source *s, enum luks_copy which, uint64_t offset, struct copy *c)
{
	const uint64_t device_size = s->io->size;
	uint64_t size = LUKS_HEADER_BINARY_SIZE;

	assert((which == LUKS_PRIMARY) == (offset == 0));
	copy_clear(c);
	if (!range_inside(offset, size, device_size)) {
		judge(c, COPY_ABSENT, "the device ends before it");
		return;
	}
	c->disk = aligned_alloc(4096, sizeof(*c->disk));
	c->error = c->disk ? source_read(s, offset, c->disk, sizeof(*c->disk)) : -ENOMEM;
	if (c->error == 0) {
		judge_binary(c, c->disk, which, offset, device_size);
		if (c->verdict != COPY_VALID)
			return;
		size = be64toh(c->disk->size);
		free(c->disk);
		c->disk = aligned_alloc(4096, size);
		c->error = c->disk ? source_read(s, offset, c->disk, size) : -ENOMEM;
	}
	if (c->error < 0) {
		judge(c, COPY_UNREADABLE, "it cannot be read");
		return;
	}
	/* Read again as a whole: judge what the checksum covers. */
	judge_binary(c, c->disk, which, offset, device_size);
	if (c->verdict == COPY_VALID && be64toh(c->disk->size) != size)
		judge(c, COPY_DAMAGED, "it changes while it is read");
	if (c->verdict == COPY_VALID)
		judge_whole(c, size);
}

static void find_secondary(const struct source *s, const struct copy *primary, struct copy *c)
{
	if (primary->verdict == COPY_VALID || primary->verdict == COPY_INVALID) {
		copy_read(s, LUKS_SECONDARY, be64toh(primary->disk->size), c);
		return;
	}
	for (uint64_t offset = LUKS_HEADER_MIN_SIZE;
	     offset <= LUKS_HEADER_MAX_SIZE && c->verdict < COPY_INVALID; offset *= 2) {
		struct copy found = {0};

		copy_read(s, LUKS_SECONDARY, offset, &found);
		if (found.verdict >= c->verdict) {
			copy_clear(c);
			*c = found;
		} else
			copy_clear(&found);
	}
}

static int refuse_both(const struct copy *primary, const struct copy *secondary,
		       struct luks_reason *why)
{
	if (primary->verdict == COPY_UNREADABLE)
		return luks_refuse(why, primary->error, "the LUKS header cannot be read");
	if (primary->verdict == COPY_TOO_LARGE)
		return luks_refuse(why, -EFBIG, "the LUKS2 header is larger than the device");
	if (primary->verdict == COPY_ABSENT && secondary->verdict < COPY_DAMAGED)
		return luks_refuse(why, -ENOENT, "there is no LUKS header");
	return luks_refuse(why, -EBADMSG, "of the primary, %.100s; of the secondary, %.100s",
			   primary->why.text, secondary->why.text);
}

static void copy_text(char *to, size_t to_size, const char *from, size_t from_size)
{
	const size_t n = MIN(strnlen(from, from_size), to_size - 1);

	assert(to_size > from_size); /* a whole name of the disk, and a NUL */
	memcpy(to, from, n);
	to[n] = 0;
}

static int header_from(struct copy copies[2], enum luks_copy winner, struct luks_header **ret)
{
	_cleanup_(luks_header_freep) struct luks_header *h = calloc(1, sizeof(*h));
	const struct luks_header_disk *d = copies[winner].disk;

	assert(copies[winner].verdict == COPY_VALID);
	if (!h)
		return -ENOMEM;
	h->size = be64toh(d->size);
	h->seqid = be64toh(d->seqid);
	copy_text(h->label, sizeof(h->label), d->label, sizeof(d->label));
	copy_text(h->subsystem, sizeof(h->subsystem), d->subsystem, sizeof(d->subsystem));
	copy_text(h->uuid, sizeof(h->uuid), d->uuid, sizeof(d->uuid));
	/* Whoever wrote it last may have died before the flush. */
	h->secondary_pending = true;

	h->buffer = aligned_alloc(4096, h->size);
	if (h->size <= LUKS_HEADER_LOOK_MAX)
		h->look = aligned_alloc(4096, h->size + LUKS_HEADER_BINARY_SIZE);
	if (!h->buffer || (h->size <= LUKS_HEADER_LOOK_MAX && !h->look))
		return -ENOMEM;

	for (int i = LUKS_PRIMARY; i <= LUKS_SECONDARY; i++) {
		/* With equal numbers the primary counts, but then neither is older. */
		h->bad[i] = copies[i].verdict != COPY_VALID ||
			    be64toh(copies[i].disk->seqid) < h->seqid;
		if (copies[i].verdict == COPY_VALID)
			memcpy(h->salt[i], copies[i].disk->salt, sizeof(h->salt[i]));
		if (h->bad[i] && RAND_bytes(h->salt[i], sizeof(h->salt[i])) != 1)
			return -EIO;
	}
	h->primary_foreign =
		copies[LUKS_PRIMARY].verdict == COPY_ABSENT && !copies[LUKS_PRIMARY].zeros;
	h->json = TAKE_PTR(copies[winner].json);
	*ret = TAKE_PTR(h);
	return 0;
}

/* Reads both @copies, and makes a header of the winner. */
static int read_copies(const struct source *s, struct copy copies[2], struct luks_header **ret,
		       struct luks_reason *why)
{
	const struct copy *primary = &copies[LUKS_PRIMARY], *secondary = &copies[LUKS_SECONDARY];

	copy_read(s, LUKS_PRIMARY, 0, &copies[LUKS_PRIMARY]);
	if (primary->verdict == COPY_VERSION && be16toh(primary->disk->version) == 1)
		return luks_refuse(why, -EPROTONOSUPPORT, "the header is of LUKS version 1");
	find_secondary(s, primary, &copies[LUKS_SECONDARY]);
	/* It would count as bad, and be written anew, or (where nobody does) end the work later. */
	if (primary->error == -ENOMEM || secondary->error == -ENOMEM)
		return luks_refuse(why, -ENOMEM, "there is no memory to read it");

	if (primary->verdict == COPY_VALID &&
	    (secondary->verdict != COPY_VALID ||
	     be64toh(primary->disk->seqid) >= be64toh(secondary->disk->seqid)))
		return header_from(copies, LUKS_PRIMARY, ret);
	if (secondary->verdict == COPY_VALID)
		return header_from(copies, LUKS_SECONDARY, ret);
	return refuse_both(primary, secondary, why);
}

int luks_header_read(struct meta_io *io, struct luks_header **ret, struct luks_reason *why)
{
	struct copy copies[2] = {0};
	struct source s;
	int r = source_init(&s, io);

	if (r < 0)
		return luks_refuse(why, r, "there is no memory to read it");
	r = read_copies(&s, copies, ret, why);
	copy_clear(&copies[LUKS_PRIMARY]);
	copy_clear(&copies[LUKS_SECONDARY]);
	free(s.head);
	return r;
}

struct luks_header *luks_header_free(struct luks_header *h)
{
	if (!h)
		return NULL;
	json_object_put(h->json);
	free(h->buffer);
	free(h->look);
	free(h);
	return NULL;
}
