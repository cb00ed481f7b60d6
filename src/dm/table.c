/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dm/table.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "util/checked.h"

static const char *const type_names[] = {
	[TARGET_LINEAR] = "linear",
	[TARGET_CRYPT] = "crypt",
	[TARGET_ERROR] = "error",
};

static const struct {
	enum crypt_flags flag;
	const char *name;
} crypt_flag_names[] = {
	{CRYPT_ALLOW_DISCARDS, "allow_discards"},
	{CRYPT_SAME_CPU_CRYPT, "same_cpu_crypt"},
	{CRYPT_SUBMIT_FROM_CRYPT_CPUS, "submit_from_crypt_cpus"},
	{CRYPT_NO_READ_WORKQUEUE, "no_read_workqueue"},
	{CRYPT_NO_WRITE_WORKQUEUE, "no_write_workqueue"},
	{CRYPT_HIGH_PRIORITY, "high_priority"},
};

void table_clear(struct table *t)
{
	t->text = secret_free(t->text);
	t->count = 0;
}

uint64_t table_size(const struct table *t)
{
	const struct target *last;

	if (t->count == 0)
		return 0;
	last = &t->targets[t->count - 1];
	return last->start + last->size;
}

int table_add(struct table *t, const struct target *target)
{
	if (target->size == 0)
		return 0;
	if (t->count == TABLE_TARGETS_MAX)
		return -E2BIG;
	t->targets[t->count++] = *target;
	return 0;
}

const char *target_type_name(enum target_type type)
{
	assert(type < TARGET_OTHER);
	return type_names[type];
}

/* Takes the next word off @p. */
static int next_word(const char **p, struct text *ret)
{
	const char *start = *p;
	size_t size = strcspn(start, " ");

	if (size == 0)
		return -EBADMSG;
	*ret = (struct text){start, size};
	*p = start + size + (start[size] == ' ');
	return 0;
}

/* A decimal number that is all of @t. */
static int text_number(struct text t, uint64_t *ret)
{
	uint64_t n = 0;

	if (t.size == 0)
		return -EBADMSG;
	for (size_t i = 0; i < t.size; i++) {
		if (t.start[i] < '0' || t.start[i] > '9' || mul_u64(n, 10, &n) < 0 ||
		    add_u64(n, (uint64_t)(t.start[i] - '0'), &n) < 0)
			return -EBADMSG;
	}
	*ret = n;
	return 0;
}

static int next_number(const char **p, uint64_t *ret)
{
	struct text word;
	int r = next_word(p, &word);

	return r < 0 ? r : text_number(word, ret);
}

/* "major:minor" */
static int next_device(const char **p, dev_t *ret)
{
	struct text word;
	uint64_t major, minor;
	const char *colon;
	int r = next_word(p, &word);

	if (r < 0)
		return r;
	colon = memchr(word.start, ':', word.size);
	if (!colon)
		return -EBADMSG;
	r = text_number((struct text){word.start, (size_t)(colon - word.start)}, &major);
	if (r < 0)
		return r;
	r = text_number((struct text){colon + 1, (size_t)(word.start + word.size - colon - 1)},
			&minor);
	if (r < 0)
		return r;
	if (major > UINT_MAX || minor > UINT_MAX)
		return -EBADMSG;
	*ret = makedev((unsigned)major, (unsigned)minor);
	return 0;
}

static bool text_is(struct text t, const char *s)
{
	return text_equal(t, (struct text){s, strlen(s)});
}

static int parse_option(struct text word, struct target *t)
{
	static const char prefix[] = "sector_size:";
	const size_t prefix_size = sizeof(prefix) - 1;
	uint64_t n;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(crypt_flag_names); i++) {
		if (text_is(word, crypt_flag_names[i].name)) {
			t->flags |= crypt_flag_names[i].flag;
			return 0;
		}
	}
	if (word.size <= prefix_size || memcmp(word.start, prefix, prefix_size) != 0)
		return -EOPNOTSUPP;
	r = text_number((struct text){word.start + prefix_size, word.size - prefix_size}, &n);
	if (r < 0)
		return r;
	if (n > UINT32_MAX || !is_power_of_2(n))
		return -EBADMSG;
	t->sector_size = (uint32_t)n;
	return 0;
}

/* [<number of options> <option>...] */
static int parse_options(const char *p, struct target *t)
{
	uint64_t count;
	int r;

	t->sector_size = SECTOR_SIZE;
	if (*p == '\0')
		return 0;
	r = next_number(&p, &count);
	if (r < 0)
		return r;
	for (; count > 0; count--) {
		struct text word;

		r = next_word(&p, &word);
		if (r < 0)
			return r;
		r = parse_option(word, t);
		if (r < 0)
			return r;
	}
	return *p == '\0' ? 0 : -EBADMSG;
}

/* <cipher> <key> <iv_offset> <device> <offset> [options] */
static int parse_crypt(const char *p, struct target *t)
{
	int r = next_word(&p, &t->cipher);

	if (r < 0)
		return r;
	r = next_word(&p, &t->key);
	if (r < 0)
		return r;
	r = next_number(&p, &t->iv_offset);
	if (r < 0)
		return r;
	r = next_device(&p, &t->device);
	if (r < 0)
		return r;
	r = next_number(&p, &t->offset);
	if (r < 0)
		return r;
	return parse_options(p, t);
}

/* <device> <offset> */
static int parse_linear(const char *p, struct target *t)
{
	int r = next_device(&p, &t->device);

	if (r < 0)
		return r;
	r = next_number(&p, &t->offset);
	if (r < 0)
		return r;
	return *p == '\0' ? 0 : -EBADMSG;
}

int target_parse(uint64_t start, uint64_t size, const char *type, const char *params,
		 struct target *ret)
{
	struct target t = {.type = TARGET_OTHER, .start = start, .size = size};
	int r = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(type_names); i++) {
		if (strcmp(type, type_names[i]) == 0)
			t.type = (enum target_type)i;
	}
	if (t.type == TARGET_CRYPT)
		r = parse_crypt(params, &t);
	else if (t.type == TARGET_LINEAR)
		r = parse_linear(params, &t);
	if (r < 0)
		return r;
	*ret = t;
	return 0;
}

/* The options of a crypt target with a space before each word; empty where there are none. */
static int format_options(const struct target *t, char *buf, size_t size)
{
	char words[256] = "";
	unsigned count = 0;
	size_t used = 0;
	int n;

	for (size_t i = 0; i < ARRAY_SIZE(crypt_flag_names); i++) {
		if (!(t->flags & crypt_flag_names[i].flag))
			continue;
		n = snprintf(words + used, sizeof(words) - used, " %s", crypt_flag_names[i].name);
		if (n < 0 || (size_t)n >= sizeof(words) - used)
			return -ENOBUFS;
		used += (size_t)n;
		count++;
	}
	if (t->sector_size != SECTOR_SIZE) {
		n = snprintf(words + used, sizeof(words) - used, " sector_size:%u", t->sector_size);
		if (n < 0 || (size_t)n >= sizeof(words) - used)
			return -ENOBUFS;
		count++;
	}
	n = count ? snprintf(buf, size, " %u%s", count, words) : snprintf(buf, size, "%s", "");
	return n < 0 || (size_t)n >= size ? -ENOBUFS : 0;
}

static int format_crypt(const struct target *t, char *buf, size_t size)
{
	char options[256];
	int n, r;

	if (t->cipher.size > size || t->key.size > size)
		return -ENOBUFS;
	r = format_options(t, options, sizeof(options));
	if (r < 0)
		return r;
	n = snprintf(buf, size, "%.*s %.*s %ju %u:%u %ju%s", (int)t->cipher.size, t->cipher.start,
		     (int)t->key.size, t->key.start, (uintmax_t)t->iv_offset, major(t->device),
		     minor(t->device), (uintmax_t)t->offset, options);
	return n < 0 || (size_t)n >= size ? -ENOBUFS : 0;
}

int target_format(const struct target *t, char *buf, size_t size)
{
	int n;

	switch (t->type) {
	case TARGET_CRYPT:
		return format_crypt(t, buf, size);
	case TARGET_LINEAR:
		n = snprintf(buf, size, "%u:%u %ju", major(t->device), minor(t->device),
			     (uintmax_t)t->offset);
		return n < 0 || (size_t)n >= size ? -ENOBUFS : 0;
	case TARGET_ERROR:
		n = snprintf(buf, size, "%s", "");
		return n < 0 || (size_t)n >= size ? -ENOBUFS : 0;
	case TARGET_OTHER:
		break;
	}
	return -EINVAL;
}

bool table_is_crypt(const struct table *t)
{
	for (unsigned i = 0; i < t->count; i++) {
		if (t->targets[i].type != TARGET_CRYPT)
			return false;
	}
	return t->count > 0;
}

bool text_equal(struct text a, struct text b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.start, b.start, a.size) == 0);
}

static bool target_equal(const struct target *a, const struct target *b)
{
	if (a->type != b->type || a->start != b->start || a->size != b->size)
		return false;
	switch (a->type) {
	case TARGET_ERROR:
		return true;
	case TARGET_LINEAR:
		return a->device == b->device && a->offset == b->offset;
	case TARGET_CRYPT:
		return a->device == b->device && a->offset == b->offset &&
		       a->iv_offset == b->iv_offset && a->flags == b->flags &&
		       a->sector_size == b->sector_size && text_equal(a->cipher, b->cipher) &&
		       text_equal(a->key, b->key);
	case TARGET_OTHER:
		break;
	}
	return false;
}

bool table_equal(const struct table *a, const struct table *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++) {
		if (!target_equal(&a->targets[i], &b->targets[i]))
			return false;
	}
	return true;
}
