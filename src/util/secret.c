/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "util/secret.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "util/checked.h"

/* The struct stands at the head of its own mapping, so size and pointer are protected with the
 * data. */
struct secret_mapping {
	struct secret s;
	size_t mapped;
	uint8_t data[];
};

int secret_new(size_t size, struct secret **ret)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct secret_mapping *m;
	size_t mapped;

	if (__builtin_add_overflow(size, sizeof(*m) + page - 1, &mapped))
		return -ENOMEM;
	mapped = round_down_u64(mapped, page);
	m = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		return -ENOMEM;
	if (mlock(m, mapped) < 0 || madvise(m, mapped, MADV_DONTDUMP) < 0 ||
	    madvise(m, mapped, MADV_DONTFORK) < 0) {
		(void)munmap(m, mapped);
		return -ENOMEM;
	}
	m->mapped = mapped;
	m->s.size = size;
	m->s.data = m->data;
	*ret = &m->s;
	return 0;
}

int secret_copy(const void *data, size_t size, struct secret **ret)
{
	struct secret *s;
	int r = secret_new(size, &s);

	if (r < 0)
		return r;
	memcpy(s->data, data, size);
	*ret = s;
	return 0;
}

void secret_truncate(struct secret *s, size_t size)
{
	assert(size <= s->size);
	explicit_bzero(s->data + size, s->size - size);
	s->size = size;
}

struct secret *secret_free(struct secret *s)
{
	struct secret_mapping *m = (struct secret_mapping *)s;
	size_t mapped;

	if (!m)
		return NULL;
	mapped = m->mapped;
	explicit_bzero(m, mapped);
	(void)munmap(m, mapped);
	return NULL;
}

int secret_forbid_looking_in(void)
{
	const struct rlimit none = {0, 0};

#ifndef __SANITIZE_ADDRESS__ /* its leak check traces the process */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
#endif
	return setrlimit(RLIMIT_CORE, &none) < 0 ? -errno : 0;
}
