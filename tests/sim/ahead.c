/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ahead.h"

#include <string.h>

#include "run.h"

#define CHECK(condition) volume_check(condition, __FILE__, __LINE__, #condition)

/* Bytes: two requests for each hotzone. */
#define TRANSFER 16384

/* 64 blocks of 512 bytes, a checksum of 64 bytes for each. */
void ahead_make(struct volume *v)
{
	static const struct luks_protection protection = {
		.resilience = LUKS_RESILIENCE_CHECKSUM, .hash = "sha512", .wanted_block = 512};
	const struct luks_reenc_keys keys = {v->key[0], v->key[1]};
	struct run r;

	v->hotzone_size = AHEAD_HOTZONE;
	v->transfer_size = TRANSFER;
	CHECK(run_open(&r, v, v->image, v->hotzone_size, NULL, 1) == 0);
	CHECK(luks_reenc_set_protection(r.header, &r.reenc, &keys, &protection) == 0);
	CHECK(luks_header_commit(r.header, medium_meta_io(r.medium), NULL) == 0);
	memcpy(v->image, medium_content(r.medium), v->size);
	run_close(&r);
	checksum_free(v->checksum);
	CHECK(checksum_new("sha512", 1, &v->checksum) == 0);
}
