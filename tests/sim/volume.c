/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libcryptsetup.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "random.h"
#include "util/checked.h"
#include "util/io.h"

#define BLOCK            UINT64_C(4096) /* of the checksums */
#define PASSPHRASE       "simulated"
#define PBKDF            "--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
#define CHECK(condition) check(condition, __FILE__, __LINE__, #condition)

static void check(bool ok, const char *file, int line, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s:%d: %s failed\n", file, line, what);
	exit(1);
}

/* Runs a shell command in the volume's directory; its output is shown where it fails. */
__attribute__((format(printf, 2, 3))) static int shell(const struct volume *v, const char *format,
						       ...)
{
	char command[4352], line[4608];
	va_list ap;
	int r;

	va_start(ap, format);
	(void)vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	(void)snprintf(line, sizeof(line), "cd %s && { %s; } >log 2>&1", v->dir, command);
	r = system(line);
	return r;
}

static uint8_t *read_image(const struct volume *v, size_t *ret_size)
{
	char path[96];
	struct stat st;
	uint8_t *image;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/image", v->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	image = malloc((size_t)st.st_size);
	CHECK(image && pread_full(fd, image, (size_t)st.st_size, 0) == 0);
	(void)close(fd);
	*ret_size = (size_t)st.st_size;
	return image;
}

static void write_image(const struct volume *v, const uint8_t *image)
{
	char path[96];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/image", v->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && ftruncate(fd, (off_t)v->size) == 0);
	CHECK(pwrite_full(fd, image, v->size, 0) == 0);
	(void)close(fd);
}

static struct secret *read_key(struct crypt_device *cd, int keyslot)
{
	struct secret *key;
	size_t size = 64;

	CHECK(secret_new(size, &key) == 0);
	CHECK(crypt_volume_key_get(cd, keyslot, (char *)key->data, &size, PASSPHRASE,
				   strlen(PASSPHRASE)) >= 0);
	secret_truncate(key, size);
	return key;
}

/* Keyslot 0 has the old key; the new one is in 1, unless the key is kept. */
static void read_keys(struct volume *v)
{
	struct crypt_device *cd;
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/image", v->dir);
	CHECK(crypt_init(&cd, path) == 0 && crypt_load(cd, CRYPT_LUKS2, NULL) == 0);
	v->key[0] = read_key(cd, 0);
	v->key[1] = read_key(cd, v->kind->keep_key ? 0 : 1);
	v->data_offset = crypt_get_data_offset(cd) * SECTOR_SIZE;
	crypt_free(cd);
}

static void make_ciphers(struct volume *v)
{
	const struct volume_kind *k = v->kind;

	(void)snprintf(v->cipher_name[0], sizeof(v->cipher_name[0]), "aes-xts-plain64");
	(void)snprintf(v->cipher_name[1], sizeof(v->cipher_name[1]), "%s",
		       k->new_cipher ? k->new_cipher : "aes-xts-plain64");
	v->sector_size[0] = k->old_sector;
	v->sector_size[1] = k->new_sector;
	for (int i = 0; i < 2; i++)
		CHECK(cipher_new(v->cipher_name[i], v->key[i], v->sector_size[i], 1,
				 &v->cipher[i]) == 0);
	CHECK(checksum_new("sha256", 1, &v->checksum) == 0);
}

static void no_wake(void *arg)
{
	(void)arg;
}

static bool is_zero(const struct volume *v, uint64_t offset)
{
	const char block = v->kind->blocks ? v->kind->blocks[offset / BLOCK] : 'w';

	if (block == 'p' && v->sector_size[0] < BLOCK)
		return offset % BLOCK / v->sector_size[0] != BLOCK / v->sector_size[0] / 2;
	return block == 'z';
}

/* In a block that is converted, zeros are data like any other. */
static bool is_unwritten(const struct volume *v, uint64_t offset)
{
	const bool small = strcmp(v->kind->resilience, "journal") == 0 &&
			   v->sector_size[0] < BLOCK && v->sector_size[1] < BLOCK;

	return is_zero(v, offset) && (small || v->kind->blocks[offset / BLOCK] == 'z');
}

/* What was never written is zero on the disk, and reads as whatever the key makes of that. */
static void punch_holes(struct volume *v)
{
	v->zeros = calloc(1, DATA_SIZE);
	CHECK(v->zeros && cipher_decrypt(v->cipher[1], 0, 0, v->zeros, DATA_SIZE) == 0);
	for (uint64_t at = 0; at < DATA_SIZE; at += v->sector_size[0]) {
		if (!is_zero(v, at))
			continue;
		memset(v->image + v->data_offset + at, 0, v->sector_size[0]);
		memset(v->plain + at, 0, v->sector_size[0]);
		CHECK(cipher_decrypt(v->cipher[0], 0, at >> SECTOR_SHIFT, v->plain + at,
				     v->sector_size[0]) == 0);
	}
}

struct volume *volume_new(const struct volume_kind *k, uint64_t seed)
{
	struct volume *v = calloc(1, sizeof(*v));
	struct random rnd = {.state = seed};
	char extra[128] = "";

	CHECK(v);
	/*
	 * Images come and go by the thousand: do not fault their pages in each time. The
	 * sanitizer's allocator knows no such options, and goes without.
	 */
	(void)mallopt(M_MMAP_THRESHOLD, 16 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
	v->kind = k;
	(void)snprintf(v->dir, sizeof(v->dir), "/tmp/recryptd-sim-XXXXXX");
	CHECK(mkdtemp(v->dir));
	if (k->keep_key)
		(void)snprintf(extra, sizeof(extra), "--keep-key");
	else if (k->new_cipher)
		(void)snprintf(extra, sizeof(extra), "--cipher %s", k->new_cipher);
	if (shell(v,
		  "printf " PASSPHRASE " >key && truncate -s %" PRIu64
		  " image && cryptsetup luksFormat -q --type luks2 " PBKDF
		  " --luks2-metadata-size 16k --luks2-keyslots-size 768k --sector-size %u image key"
		  " && cryptsetup reencrypt -q --init-only --force-offline-reencrypt " PBKDF
		  " --resilience %s --sector-size %u %s --key-file key image",
		  (UINT64_C(1) << 20) + DATA_SIZE, k->old_sector, k->resilience, k->new_sector,
		  extra) != 0) {
		fprintf(stderr, "%s: cryptsetup failed, see %s/log\n", k->name, v->dir);
		exit(1);
	}
	v->image = read_image(v, &v->size);
	read_keys(v);
	v->data_size = v->size - v->data_offset;
	CHECK(v->data_size == DATA_SIZE);
	make_ciphers(v);
	CHECK(pool_new("crypto", 0, no_wake, NULL, &v->pool) == 0 &&
	      pool_new("header", 0, no_wake, NULL, &v->header_lane) == 0);
	v->plain = malloc(DATA_SIZE);
	CHECK(v->plain);
	for (uint64_t i = 0; i < DATA_SIZE; i += 8) {
		const uint64_t word = random_next(&rnd);

		memcpy(v->plain + i, &word, 8);
	}
	memcpy(v->image + v->data_offset, v->plain, DATA_SIZE);
	CHECK(cipher_encrypt(v->cipher[0], 0, 0, v->image + v->data_offset, DATA_SIZE) == 0);
	punch_holes(v);
	return v;
}

struct volume *volume_free(struct volume *v)
{
	char line[128];

	if (!v)
		return NULL;
	for (int i = 0; i < 2; i++) {
		cipher_free(v->cipher[i]);
		secret_free(v->key[i]);
	}
	checksum_free(v->checksum);
	pool_free(v->pool);
	pool_free(v->header_lane);
	free(v->plain);
	free(v->zeros);
	free(v->image);
	(void)snprintf(line, sizeof(line), "rm -rf %s", v->dir);
	CHECK(system(line) == 0);
	free(v);
	return NULL;
}

struct cipher *volume_cipher(const struct volume *v, const struct luks_side *side)
{
	/* With two keys the old one has digest 0: luksFormat made it. */
	const bool new_key = v->kind->keep_key || side->digest != 0;

	if (new_key && side->sector_size == v->sector_size[1] &&
	    strcmp(side->cipher, v->cipher_name[1]) == 0)
		return v->cipher[1];
	CHECK(side->sector_size == v->sector_size[0]);
	return v->cipher[0];
}

static bool stop(void *arg)
{
	const struct run *r = arg;

	return r->stop_after > 0 && r->hotzones >= r->stop_after;
}

static void progress(void *arg, const struct engine_progress *p)
{
	struct run *r = arg;

	(void)p;
	r->hotzones++;
	if (r->on_progress)
		r->on_progress(r->on_progress_arg);
}

static bool pause_due(void *arg, uint64_t converted)
{
	const struct run *r = arg;

	(void)converted;
	return r->on_pause;
}

static int make_pause(void *arg, uint64_t passed, struct engine_limits *limits)
{
	struct run *r = arg;
	const struct position p = engine_position(r->engine);
	const uint64_t converted =
		r->reenc.direction == LUKS_FORWARD ? p.boundary : r->reenc.data_size - p.boundary;

	CHECK(p.hotzone_size == 0 && r->reenc.state == LUKS_REENC_CLEAN);
	CHECK(r->volume->holes != HOLES_HIDDEN ? passed <= converted : passed == converted);
	limits->hotzone_size = r->on_pause ? r->on_pause(r) : 0;
	limits->stall_target = r->stall_target;
	r->pauses++;
	return 0;
}

static int make_engine(struct run *r, uint64_t hotzone_size, struct freezer *freezer,
		       struct header_store *store)
{
	const struct volume *v = r->volume;
	const struct engine_config config = {
		.disk = medium_disk(r->medium),
		.disk_offset = r->reenc.data_offset,
		.size = r->reenc.data_size,
		.direction = r->reenc.direction == LUKS_FORWARD ? ENGINE_FORWARD : ENGINE_BACKWARD,
		.resilience = r->reenc.resilience == LUKS_RESILIENCE_JOURNAL ? ENGINE_JOURNAL
									     : ENGINE_CHECKSUM,
		.old_side.cipher = volume_cipher(v, &r->reenc.old_side),
		.new_side.cipher = volume_cipher(v, &r->reenc.new_side),
		.checksum = v->checksum,
		.block_size = r->reenc.block_size,
		.hotzone_size = hotzone_size,
		.skip_unwritten = r->skip,
		.verify = v->verify,
		.header = store,
		.freezer = freezer,
		.pool = v->pool,
		.header_lane = freezer ? NULL : v->header_lane,
		.stop = stop,
		.pause_due = pause_due,
		.pause = make_pause,
		.progress = progress,
		.callback_arg = r,
	};

	return engine_new(&config, &r->engine);
}

static int verify_digest(const struct run *r)
{
	const struct volume *v = r->volume;
	const bool turned = r->reenc.old_side.digest != 0 && !v->kind->keep_key;
	const struct luks_reenc_keys keys = {
		.old_key = v->key[turned ? 1 : 0],
		.new_key = v->key[turned ? 0 : 1],
	};

	return luks_reenc_digest_verify(r->header, &r->reenc, &keys);
}

int run_open(struct run *r, const struct volume *v, const uint8_t *image, uint64_t hotzone_size,
	     struct freezer *freezer, uint64_t seed)
{
	struct luks_reason why = {};
	struct meta_io *io;
	int x;

	*r = (struct run){.volume = v, .hotzone_size = hotzone_size, .freezer = freezer};
	r->skip = v->skip == SKIP_ALWAYS || (v->skip == SKIP_DRAWN && seed % 2 == 0);
	r->medium = medium_new(image, v->size, 512, seed);
	medium_show_holes(r->medium, v->holes);
	if (v->transfer_size > 0)
		medium_disk(r->medium)->transfer_size = v->transfer_size;
	if (v->kind->detached)
		medium_detach_header(r->medium, v->data_offset);
	io = medium_meta_io(r->medium);
	x = luks_header_read(io, &r->header, &why);
	if (x == 0 && luks_header_needs_repair(r->header))
		x = luks_header_repair(r->header, io);
	if (x == 0)
		x = luks_reenc_load(r->header, v->size, 0, 512, &r->reenc, &why);
	if (x == 0 && r->reenc.state == LUKS_REENC_FINISH) {
		/* cryptsetup would take it for "nothing done": nobody may ever see it. */
		(void)snprintf(why.text, sizeof(why.text), "the state that must never be written");
		x = -EUCLEAN;
	}
	if (x == 0 && r->reenc.state != LUKS_REENC_NONE) {
		x = verify_digest(r);
		luks_store_init(&r->store, io, r->header, &r->reenc, -1, NULL, !v->kind->detached);
		if (x == 0)
			x = make_engine(r, hotzone_size, freezer, &r->store.store);
	}
	if (x < 0)
		fprintf(stderr, "# cannot open: %s: %s\n", strerrordesc_np(-x), why.text);
	return x;
}

void run_set_header_store(struct run *r, struct header_store *store)
{
	r->engine = engine_free(r->engine);
	CHECK(make_engine(r, r->hotzone_size, r->freezer, store) == 0);
}

void run_close(struct run *r)
{
	r->engine = engine_free(r->engine);
	r->header = luks_header_free(r->header);
	r->medium = medium_free(r->medium);
}

int run_all(struct run *r, enum engine_outcome *ret)
{
	struct position p = {r->reenc.boundary, r->reenc.hot_size};

	if (r->reenc.state == LUKS_REENC_HOT) {
		int x = engine_recover(r->engine, &p);

		if (x < 0)
			return x;
		p = engine_position(r->engine);
		if (r->reenc.state == LUKS_REENC_NONE) {
			*ret = ENGINE_FINISHED;
			return 0;
		}
	}
	return engine_run(r->engine, &p, ret);
}

int run_reverse(struct run *r, uint64_t hotzone_size)
{
	const struct luks_reenc_keys keys = {r->volume->key[0], r->volume->key[1]};
	struct luks_reason why = {};
	int x = luks_reenc_reverse(r->header, &r->reenc, &keys, hotzone_size);

	if (x == 0)
		x = luks_header_commit(r->header, medium_meta_io(r->medium), &why);
	if (x == 0)
		x = luks_header_flush(r->header, medium_meta_io(r->medium));
	if (x < 0)
		fprintf(stderr, "# cannot turn around: %s: %s\n", strerrordesc_np(-x), why.text);
	return x;
}

uint8_t *volume_decrypt_finished(const struct volume *v, const uint8_t *image)
{
	_cleanup_free_ uint8_t *data = malloc(v->data_size);
	struct run r;
	int x;

	CHECK(data);
	x = run_open(&r, v, image, 16384, NULL, 1);
	if (x == 0 && r.reenc.state != LUKS_REENC_NONE)
		x = -EBUSY;
	if (x < 0)
		fprintf(stderr, "# the header does not say that all is finished\n");
	else {
		memcpy(data, image + v->data_offset, v->data_size);
		CHECK(cipher_decrypt(volume_cipher(v, &r.reenc.new_side), 0, 0, data,
				     v->data_size) == 0);
	}
	run_close(&r);
	return x < 0 ? NULL : TAKE_PTR(data);
}

bool volume_accepts_untouched(const struct volume *v, uint64_t offset, const uint8_t *found)
{
	return memcmp(found, v->plain + offset, SECTOR_SIZE) == 0 ||
	       (is_unwritten(v, offset) && memcmp(found, v->zeros + offset, SECTOR_SIZE) == 0);
}

bool volume_is_still_sparse(const struct volume *v, const uint8_t *image)
{
	for (uint64_t at = 0; at < v->data_size; at++)
		if (is_unwritten(v, at) && image[v->data_offset + at] != 0) {
			fprintf(stderr, "# written at offset %" PRIu64 "\n", at);
			return false;
		}
	return true;
}

bool volume_check_finished(const struct volume *v, const uint8_t *image, const uint8_t *plain)
{
	_cleanup_free_ uint8_t *data = volume_decrypt_finished(v, image);

	if (!data)
		return false;
	for (uint64_t i = 0; i < v->data_size; i += SECTOR_SIZE)
		if (memcmp(data + i, plain + i, SECTOR_SIZE) != 0 &&
		    (memcmp(plain + i, v->plain + i, SECTOR_SIZE) != 0 ||
		     !volume_accepts_untouched(v, i, data + i))) {
			fprintf(stderr, "# wrong data at offset %" PRIu64 "\n", i);
			return false;
		}
	return true;
}

bool volume_finish_by_stock(const struct volume *v, uint8_t *image)
{
	_cleanup_free_ uint8_t *after = NULL;
	char program[4096];
	const ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	size_t size;

	/* This program is tests/sim/test-x of the build tree. */
	CHECK(n > 0);
	program[n] = '\0';
	*strrchr(program, '/') = '\0';
	write_image(v, image);
	if (shell(v,
		  "cryptsetup luksDump --dump-json-metadata image | grep -q online-reencrypt || "
		  "exit 0; %s/../crash/stock-recover image key",
		  program) != 0) {
		fprintf(stderr, "# cryptsetup failed, see %s/log\n", v->dir);
		return false;
	}
	after = read_image(v, &size);
	CHECK(size == v->size);
	memcpy(image, after, size);
	return true;
}
