/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crypto/multi-buffer.h"

#include <errno.h>

#if HAVE_INTEL_IPSEC_MB_H

#include <dlfcn.h>
#include <intel-ipsec-mb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "util/checked.h"

/* The functions that are no members of the manager. */
static struct {
	IMB_MGR *(*new)(uint64_t flags);
	void (*init)(IMB_MGR *manager, IMB_ARCH *arch);
	void (*free)(IMB_MGR *manager);
	unsigned (*version)(void);
	int (*error)(IMB_MGR *manager);
} library;

static int library_error = -EOPNOTSUPP;

struct multi_buffer {
	IMB_MGR *manager;
	IMB_HASH_ALG algorithm;
	size_t size; /* bytes of a digest */
};

static void *find_symbol(void *handle, const char *name)
{
	return dlsym(handle, name);
}

/* Its ABI is that of the header's major version, and no older than the header. */
static void load_library(void)
{
	char name[40];
	void *handle;

	(void)snprintf(name, sizeof(name), "libIPSec_MB.so.%d", IMB_VERSION_NUM >> 16);
	handle = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!handle)
		return;
	*(void **)&library.new = find_symbol(handle, "alloc_mb_mgr");
	*(void **)&library.init = find_symbol(handle, "init_mb_mgr_auto");
	*(void **)&library.free = find_symbol(handle, "free_mb_mgr");
	*(void **)&library.version = find_symbol(handle, "imb_get_version");
	*(void **)&library.error = find_symbol(handle, "imb_get_errno");
	if (library.new &&library.init &&
	    library.free &&library.version &&library.error &&library.version() >= IMB_VERSION_NUM)
		library_error = 0;
}

static const struct {
	const char *hash;
	IMB_HASH_ALG algorithm;
	size_t size;
} algorithms[] = {
	{"sha1", IMB_AUTH_SHA_1, IMB_SHA1_DIGEST_SIZE_IN_BYTES},
	{"sha224", IMB_AUTH_SHA_224, IMB_SHA224_DIGEST_SIZE_IN_BYTES},
	{"sha256", IMB_AUTH_SHA_256, IMB_SHA256_DIGEST_SIZE_IN_BYTES},
	{"sha384", IMB_AUTH_SHA_384, IMB_SHA384_DIGEST_SIZE_IN_BYTES},
	{"sha512", IMB_AUTH_SHA_512, IMB_SHA512_DIGEST_SIZE_IN_BYTES},
};

static int make_manager(struct multi_buffer *m)
{
	IMB_ARCH arch = IMB_ARCH_NONE;

	m->manager = library.new(0);
	if (!m->manager)
		return -ENOMEM;
	library.init(m->manager, &arch);
	return arch >= IMB_ARCH_SSE && library.error(m->manager) == 0 ? 0 : -EOPNOTSUPP;
}

int multi_buffer_new(const char *hash, struct multi_buffer **ret)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	_cleanup_(multi_buffer_freep) struct multi_buffer *m = NULL;
	int r;

	(void)pthread_once(&once, load_library);
	if (library_error < 0)
		return library_error;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++)
		if (strcmp(hash, algorithms[i].hash) == 0) {
			m->algorithm = algorithms[i].algorithm;
			m->size = algorithms[i].size;
		}
	if (m->size == 0)
		return -EOPNOTSUPP;
	r = make_manager(m);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(m);
	return 0;
}

struct multi_buffer *multi_buffer_free(struct multi_buffer *m)
{
	if (!m)
		return NULL;
	if (m->manager)
		library.free(m->manager);
	free(m);
	return NULL;
}

static IMB_JOB *submit_block(struct multi_buffer *m, const uint8_t *block, size_t size,
			     uint8_t *digest)
{
	IMB_JOB *job = IMB_GET_NEXT_JOB(m->manager);

	job->cipher_mode = IMB_CIPHER_NULL;
	job->cipher_direction = IMB_DIR_ENCRYPT;
	job->chain_order = IMB_ORDER_HASH_CIPHER;
	job->hash_alg = m->algorithm;
	job->src = block;
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_hash_in_bytes = size;
	job->auth_tag_output = digest;
	job->auth_tag_output_len_in_bytes = m->size;
	return IMB_SUBMIT_JOB(m->manager);
}

/* How many of @job and those behind it are done, which it takes off the queue. */
static size_t collect_done(struct multi_buffer *m, IMB_JOB *job)
{
	size_t n = 0;

	for (; job; job = IMB_GET_COMPLETED_JOB(m->manager))
		n += job->status == IMB_STATUS_COMPLETED;
	return n;
}

int multi_buffer_digest(struct multi_buffer *m, const void *blocks, size_t n, size_t block_size,
			uint8_t *digests)
{
	const uint8_t *block = blocks;
	size_t done = 0;
	IMB_JOB *job;

	for (size_t i = 0; i < n; i++)
		done += collect_done(m, submit_block(m, block + i * block_size, block_size,
						     digests + i * m->size));
	while ((job = IMB_FLUSH_JOB(m->manager)))
		done += collect_done(m, job);
	return done == n ? 0 : -EIO;
}

#else

int multi_buffer_new(const char *hash, struct multi_buffer **ret)
{
	(void)hash;
	(void)ret;
	return -EOPNOTSUPP;
}

struct multi_buffer *multi_buffer_free(struct multi_buffer *m)
{
	(void)m;
	return NULL;
}

int multi_buffer_digest(struct multi_buffer *m, const void *blocks, size_t n, size_t block_size,
			uint8_t *digests)
{
	(void)m;
	(void)blocks;
	(void)n;
	(void)block_size;
	(void)digests;
	return -EOPNOTSUPP;
}

#endif
