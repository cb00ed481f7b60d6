/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Device-mapper tables as values: the lines of "crypt", "linear" and "error" targets, parsed from
 * what the kernel reports and written as it wants them. Touches no device. Formats: the kernel's
 * Documentation/admin-guide/device-mapper/dm-crypt.rst and linear.rst.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/secret.h"

/* A piece of text that somebody else owns; not terminated. */
struct text {
	const char *start;
	size_t size;
};

enum target_type { TARGET_LINEAR, TARGET_CRYPT, TARGET_ERROR, TARGET_OTHER };

/* What an operator may choose for an open volume and a reload has to keep. */
enum crypt_flags {
	CRYPT_ALLOW_DISCARDS = 1 << 0,
	CRYPT_SAME_CPU_CRYPT = 1 << 1,
	CRYPT_SUBMIT_FROM_CRYPT_CPUS = 1 << 2,
	CRYPT_NO_READ_WORKQUEUE = 1 << 3,
	CRYPT_NO_WRITE_WORKQUEUE = 1 << 4,
	CRYPT_HIGH_PRIORITY = 1 << 5,
};

/* Units are 512-byte sectors. */
struct target {
	enum target_type type;
	uint64_t start, size;
	dev_t device;    /* linear, crypt */
	uint64_t offset; /* linear, crypt: on @device */
	/* crypt: */
	struct text cipher;
	struct text key; /* hex digits, or ":<bytes>:logon:<description>" */
	uint64_t iv_offset;
	unsigned flags;       /* enum crypt_flags */
	uint32_t sector_size; /* bytes */
};

#define TABLE_TARGETS_MAX 4

struct table {
	unsigned count;
	struct target targets[TABLE_TARGETS_MAX];
	struct secret *text; /* of a parsed table: what its targets point into */
};

/* Wipes the text that the table owns. */
void table_clear(struct table *t);
#define _cleanup_table_ _cleanup_(table_clear)

/* A target of no size is left out. -E2BIG: more targets than we ever make. */
int table_add(struct table *t, const struct target *target);

/* Where the next target starts. */
uint64_t table_size(const struct table *t);

/*
 * Reads one target; @params stays the caller's and must outlive @ret. -EBADMSG: not understood;
 * -EOPNOTSUPP: has an option that we would not know how to keep.
 */
int target_parse(uint64_t start, uint64_t size, const char *type, const char *params,
		 struct target *ret);

/* Writes the parameters of a target, terminated. -ENOBUFS: does not fit. */
int target_format(const struct target *t, char *buf, size_t size);

const char *target_type_name(enum target_type type);

/* Has it targets, and are all of them crypt? */
bool table_is_crypt(const struct table *t);

bool text_equal(struct text a, struct text b);
bool table_equal(const struct table *a, const struct table *b);
