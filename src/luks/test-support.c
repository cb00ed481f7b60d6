/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/test-support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "luks/fields.h"
#include "util/checked.h"

json_object *state_json(const char *name)
{
	char path[4096];
	json_object *json;

	(void)snprintf(path, sizeof(path), "%s/luks2-states/%s.json", TEST_DATA_DIR, name);
	json = json_object_from_file(path);
	if (!json)
		fail_msg("%s: %s", path, json_util_get_last_err());
	return json;
}

struct luks_header *header_with(json_object *json, uint64_t size)
{
	struct luks_header *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	h->size = size;
	h->seqid = 3;
	(void)strcpy(h->uuid, "8d3c9b4e-0000-4000-8000-0123456789ab");
	memset(h->salt[LUKS_PRIMARY], 0x11, sizeof(h->salt[LUKS_PRIMARY]));
	memset(h->salt[LUKS_SECONDARY], 0x22, sizeof(h->salt[LUKS_SECONDARY]));
	h->json = json;
	h->buffer = aligned_alloc(4096, size);
	assert_non_null(h->buffer);
	return h;
}

char *member_text(json_object *object, const char *key)
{
	json_object *member;
	char *text;

	assert_true(json_object_object_get_ex(object, key, &member));
	text = strdup(json_object_to_json_string_ext(member, JSON_C_TO_STRING_PLAIN));
	assert_non_null(text);
	return text;
}

static struct sim_disk *to_sim(struct meta_io *io)
{
	return (struct sim_disk *)io;
}

static bool is_powered(const struct sim_disk *d)
{
	return d->power_cut < 0 || d->writes + d->flushes < (unsigned)d->power_cut;
}

static int sim_read(struct meta_io *io, uint64_t offset, void *buf, size_t size)
{
	if (!range_inside(offset, size, io->size))
		return -ENODATA;
	memcpy(buf, to_sim(io)->seen + offset, size);
	return 0;
}

static int sim_write(struct meta_io *io, uint64_t offset, const void *buf, size_t size)
{
	struct sim_disk *d = to_sim(io);
	const unsigned n = d->pending_count;

	if (!is_powered(d))
		return -EIO;
	assert_true(range_inside(offset, size, io->size));
	assert_true(n < SIM_MAX_PENDING);
	d->pending[n].offset = offset;
	d->pending[n].size = size;
	d->pending[n].data = malloc(size);
	assert_non_null(d->pending[n].data);
	memcpy(d->pending[n].data, buf, size);
	d->pending_count++;
	memcpy(d->seen + offset, buf, size);
	d->writes++;
	return d->fail_write >= 0 && d->writes > (unsigned)d->fail_write ? -EIO : 0;
}

static void forget_pending(struct sim_disk *d)
{
	while (d->pending_count > 0)
		free(d->pending[--d->pending_count].data);
}

static int sim_flush(struct meta_io *io)
{
	struct sim_disk *d = to_sim(io);

	if (!is_powered(d))
		return -EIO;
	d->flushes++;
	if (d->fail_flush >= 0 && d->flushes > (unsigned)d->fail_flush)
		return -EIO;
	memcpy(d->stable, d->seen, io->size);
	forget_pending(d);
	return 0;
}

static void sim_io_free(struct meta_io *io)
{
	(void)sim_free(to_sim(io));
}

struct sim_disk *sim_new(uint64_t size)
{
	static const struct meta_io_ops ops = {sim_read, sim_write, sim_flush, sim_io_free};
	struct sim_disk *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	d->io = (struct meta_io){.ops = &ops, .size = size, .name = "simulated disk"};
	d->stable = calloc(1, size);
	d->seen = calloc(1, size);
	assert_true(d->stable && d->seen);
	d->power_cut = d->fail_write = d->fail_flush = -1;
	return d;
}

struct sim_disk *sim_free(struct sim_disk *d)
{
	if (!d)
		return NULL;
	forget_pending(d);
	free(d->stable);
	free(d->seen);
	free(d);
	return NULL;
}

void sim_restart(struct sim_disk *d, bool (*keep)(void *arg, unsigned write, size_t sector),
		 void *arg)
{
	for (unsigned i = 0; i < d->pending_count; i++) {
		for (size_t at = 0; at < d->pending[i].size; at += SECTOR_SIZE)
			if (keep(arg, i, at / SECTOR_SIZE))
				memcpy(d->stable + d->pending[i].offset + at,
				       d->pending[i].data + at, SECTOR_SIZE);
	}
	forget_pending(d);
	memcpy(d->seen, d->stable, d->io.size);
	d->writes = d->flushes = 0;
	d->power_cut = d->fail_write = d->fail_flush = -1;
}

void sim_put_header(struct sim_disk *d, struct luks_header *h)
{
	struct luks_reason why = {""};

	/* Through the real writer, from a sequence number one below. */
	h->seqid--;
	if (luks_header_commit(h, &d->io, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(luks_header_flush(h, &d->io), 0);
	d->writes = d->flushes = 0;
}

struct luks_header *sim_header(struct sim_disk *d)
{
	struct luks_header *h =
		header_with(state_json("1_reencrypt_fwd_init-only"), TEST_HEADER_SIZE);

	sim_put_header(d, h);
	return h;
}

struct luks_header *sim_reread(struct sim_disk *d)
{
	struct luks_header *h;
	struct luks_reason why = {""};

	if (luks_header_read(&d->io, &h, &why) < 0)
		fail_msg("%s", why.text);
	return h;
}

struct luks_header_disk *sim_copy(struct sim_disk *d, enum luks_copy copy)
{
	return (struct luks_header_disk *)(d->seen + (copy == LUKS_PRIMARY ? 0 : TEST_HEADER_SIZE));
}

void set_mark(struct luks_header *h, int mark)
{
	json_object *config = field_get(h->json, "config", json_type_object);

	assert_int_equal(field_set(config, "mark", json_object_new_int(mark)), 0);
}

int get_mark(const struct luks_header *h)
{
	uint32_t mark = 0;

	(void)field_u32(field_get(h->json, "config", json_type_object), "mark", &mark);
	return (int)mark;
}
