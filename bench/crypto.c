/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the CPUs alone could re-encrypt: threads, one a CPU unless told, run the program's own code
 * over blocks in memory, each step by itself and then all that a hotzone in checksum mode takes;
 * first with OpenSSL alone, then with what is fastest here, as the engine does it.
 *
 *     bench/crypto [--json] [--threads N...] [SECTOR-SIZE...]        512 and 4096 by default
 */
#include <errno.h>
#include <json-c/json.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "crypto/checksum.h"
#include "crypto/cipher.h"
#include "util/checked.h"
#include "util/clock.h"

/* Of a chunk, as the engine cuts them; it stays in the cache between the steps, as there. */
#define CHUNK    ((size_t)256 * 1024)
#define CPUS_MAX 256
#define SECONDS  1 /* of each row */

struct row {
	const char *name;
	bool checksum, ciphers;
	struct checksum *sums;
	struct cipher *old, *new;
	uint32_t block_size;
};

struct thread {
	pthread_t thread;
	unsigned lane;
	const struct row *row;
	atomic_bool *stop;
	uint64_t bytes;
	int error;
};

static int one_chunk(const struct row *row, unsigned lane, uint8_t *data, uint8_t *digests)
{
	int r = 0;

	if (row->checksum)
		r = checksum_blocks(row->sums, lane, data, CHUNK, row->block_size, digests);
	if (r == 0 && row->ciphers)
		r = cipher_decrypt(row->old, lane, 0, data, CHUNK);
	if (r == 0 && row->ciphers)
		r = cipher_encrypt(row->new, lane, 0, data, CHUNK);
	return r;
}

static void *work(void *arg)
{
	struct thread *t = arg;
	_cleanup_free_ uint8_t *data = calloc(1, CHUNK);
	_cleanup_free_ uint8_t *digests = calloc(CHUNK / 512, EVP_MAX_MD_SIZE);

	t->error = data && digests ? 0 : -ENOMEM;
	while (t->error == 0 && !atomic_load(t->stop)) {
		t->error = one_chunk(t->row, t->lane, data, digests);
		t->bytes += CHUNK;
	}
	return NULL;
}

static int run_row(const struct row *row, unsigned cpus, double *ret)
{
	struct thread threads[CPUS_MAX] = {0};
	atomic_bool stop = false;
	const uint64_t begin = now_usec();
	uint64_t bytes = 0, time;
	unsigned n;
	int r = 0;

	for (n = 0; n < cpus; n++) {
		threads[n] = (struct thread){.lane = n, .row = row, .stop = &stop};
		r = -pthread_create(&threads[n].thread, NULL, work, &threads[n]);
		if (r < 0)
			break;
	}
	if (r == 0)
		(void)sleep(SECONDS);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < n; i++) {
		(void)pthread_join(threads[i].thread, NULL);
		bytes += threads[i].bytes;
		if (r == 0)
			r = threads[i].error;
	}
	time = now_usec() - begin;
	if (r == 0)
		*ret = (double)bytes / (double)time * 1e6;
	return r;
}

static int add_result(json_object *list, const struct row *row, const char *library,
		      uint32_t sector, unsigned cpus, double speed)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "what", json_object_new_string(row->name));
	json_object_object_add(o, "library", json_object_new_string(library));
	json_object_object_add(o, "sector_size", json_object_new_int64(sector));
	json_object_object_add(o, "threads", json_object_new_int64(cpus));
	json_object_object_add(o, "bytes_per_second", json_object_new_double(speed));
	return json_object_array_add(list, o);
}

/* One line of the table. */
static int measure(struct row *row, const char *library, uint32_t sector, unsigned cpus,
		   json_object *list)
{
	double speed;
	int r = run_row(row, cpus, &speed);

	if (r < 0)
		return r;
	if (list)
		return add_result(list, row, library, sector, cpus, speed);
	printf("%-48s %-24s %7u %6u %10.0f\n", row->name, library, cpus, sector, speed / (1 << 20));
	return 0;
}

static int make_cipher(uint32_t sector_size, unsigned cpus, struct cipher **ret)
{
	_cleanup_(secret_freep) struct secret *key = NULL;
	int r = secret_new(64, &key);

	if (r < 0)
		return r;
	if (getrandom(key->data, key->size, 0) != (ssize_t)key->size)
		return -EIO;
	return cipher_new("aes-xts-plain64", key, sector_size, cpus, ret);
}

/* The steps by themselves and together, with the libraries that are in use. */
static int with_libraries(const struct row *what, uint32_t sector, unsigned cpus, json_object *list)
{
	const char *sums = checksum_library_name(what->sums), *old = cipher_library_name(what->old);
	struct row row = *what;
	char both[64];
	int r;

	row.name = "decrypt and encrypt";
	row.ciphers = true;
	r = measure(&row, old, sector, cpus, list);
	row.name = "checksum";
	row.ciphers = false;
	row.checksum = true;
	if (r == 0)
		r = measure(&row, sums, sector, cpus, list);
	row.name = "all three";
	row.ciphers = true;
	(void)snprintf(both, sizeof(both), "%s, %s", old, sums);
	return r < 0 ? r : measure(&row, both, sector, cpus, list);
}

static int use_fastest(const struct row *row)
{
	int r = checksum_use_fastest(row->sums, row->block_size);

	if (r == 0)
		r = cipher_use_fastest(row->old);
	return r < 0 ? r : cipher_use_fastest(row->new);
}

static int of_sector_size(uint32_t sector, unsigned cpus, json_object *list)
{
	_cleanup_(checksum_freep) struct checksum *sums = NULL;
	_cleanup_(cipher_freep) struct cipher *old = NULL, *new = NULL;
	struct row row;
	int r = checksum_new("sha256", cpus, &sums);

	if (r == 0)
		r = make_cipher(sector, cpus, &old);
	if (r == 0)
		r = make_cipher(sector, cpus, &new);
	if (r < 0)
		return r;
	row = (struct row){.sums = sums, .old = old, .new = new, .block_size = sector};
	r = with_libraries(&row, sector, cpus, list);
	if (r == 0)
		r = use_fastest(&row);
	return r < 0 ? r : with_libraries(&row, sector, cpus, list);
}

/* What the command line asks for. */
struct wanted {
	bool json;
	unsigned threads[CPUS_MAX], n_threads;
	uint32_t sectors[8], n_sectors;
};

/* Numbers of threads are below 512, sizes of sectors are not. */
static int take_number(struct wanted *w, const char *text, bool after_threads)
{
	char *end;
	const unsigned long n = strtoul(text, &end, 10);

	if (*end)
		return -EINVAL;
	if (after_threads && n >= 1 && n <= CPUS_MAX && w->n_threads < ARRAY_SIZE(w->threads)) {
		w->threads[w->n_threads++] = (unsigned)n;
		return 0;
	}
	if (n < 512 || n > 4096 || !is_power_of_2(n) || w->n_sectors == ARRAY_SIZE(w->sectors))
		return -EINVAL;
	w->sectors[w->n_sectors++] = (uint32_t)n;
	return 0;
}

static int parse(char *argv[], struct wanted *w)
{
	const long online = MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L);
	bool after_threads = false;
	int r = 0;

	for (; *argv && r == 0; argv++) {
		if (strcmp(*argv, "--json") == 0)
			w->json = true;
		else if (strcmp(*argv, "--threads") == 0)
			after_threads = true;
		else
			r = take_number(w, *argv, after_threads);
	}
	if (r < 0 || (after_threads && w->n_threads == 0))
		return -EINVAL;
	if (w->n_threads == 0)
		w->threads[w->n_threads++] = (unsigned)MIN(online, (long)CPUS_MAX);
	if (w->n_sectors == 0) {
		w->sectors[w->n_sectors++] = 512;
		w->sectors[w->n_sectors++] = 4096;
	}
	return 0;
}

static int measure_all(const struct wanted *w, json_object *list)
{
	int r = 0;

	if (!list)
		printf("aes-xts-plain64 with 512 bits, sha256\n%-48s %-24s %7s %6s %10s\n",
		       "with OpenSSL alone, then as the engine does it", "by", "threads", "sector",
		       "MiB/s");
	for (unsigned s = 0; s < w->n_sectors; s++)
		for (unsigned t = 0; t < w->n_threads && r == 0; t++)
			r = of_sector_size(w->sectors[s], w->threads[t], list);
	return r;
}

int main(int argc, char *argv[])
{
	struct wanted wanted = {0};
	json_object *list = NULL;
	int r = parse(argv + MIN(argc, 1), &wanted);

	if (r < 0) {
		(void)fprintf(stderr, "usage: crypto [--json] [--threads N...] [SECTOR-SIZE...]\n");
		return EXIT_FAILURE;
	}
	if (wanted.json)
		list = json_object_new_array();
	r = measure_all(&wanted, list);
	if (r == 0 && list)
		puts(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY));
	json_object_put(list);
	if (r < 0)
		(void)fprintf(stderr, "crypto: %s\n", strerrordesc_np(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
