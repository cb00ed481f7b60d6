/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/settings-bus.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/bus-text.h"
#include "util/cleanup.h"
#include "util/path-text.h"
#include "util/text.h"

static bool setting_is_of(const struct setting *s, unsigned place)
{
	return place == SETTINGS_EVERYWHERE || s->places == 0 || s->places & place;
}

static const char *setting_type(const struct setting *s)
{
	static const char *const types[] = {
		[SETTING_BUFFER] = "s", [SETTING_TEXT] = "s",  [SETTING_OWNED] = "s",
		[SETTING_BYTES] = "s",  [SETTING_PATH] = "s",  [SETTING_U32] = "u",
		[SETTING_U64] = "t",    [SETTING_INT] = "i",   [SETTING_BOOL] = "b",
		[SETTING_CHOICE] = "b", [SETTING_NAME] = "s",  [SETTING_BITS] = "au",
		[SETTING_TEXTS] = "as", [SETTING_LIST] = "as",
	};

	return types[s->kind];
}

/* --- reading --- */

struct reader {
	sd_bus_message *m;
	const struct settings_part *parts;
	unsigned place;
	uint64_t seen; /* bit n: the row n, counted over all parts */
	bool lenient;
	char *problem; /* unless lenient */
	size_t size;
};

static int __attribute__((format(printf, 2, 3)))
reader_refuse(struct reader *r, const char *format, ...)
{
	va_list ap;

	if (r->lenient)
		return -EBADMSG;
	va_start(ap, format);
	(void)text_vformat(r->problem, r->size, format, ap);
	va_end(ap);
	return -EINVAL;
}

static int reader_refuse_length(struct reader *r, const struct setting *s)
{
	return reader_refuse(r, "the option %s is too long", s->name);
}

/* @text need not end with a zero. */
static int read_owned(const char *text, size_t size, char **where)
{
	char *copy = malloc(size + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, size);
	copy[size] = '\0';
	free(*where);
	*where = copy;
	return 0;
}

static int read_text(struct reader *r, const struct setting *s, void *where)
{
	const char *text;
	int q = sd_bus_message_read_basic(r->m, 's', &text);
	size_t length;

	if (q < 0)
		return q;
	length = strlen(text);
	if (s->kind == SETTING_OWNED || s->kind == SETTING_BYTES)
		return read_owned(text, length, where);
	if (s->kind == SETTING_BUFFER && r->lenient) {
		(void)text_copy(where, s->size, text);
		return 0;
	}
	if (length >= s->size)
		return reader_refuse_length(r, s);
	if (s->kind == SETTING_TEXT)
		*(const char **)where = text;
	else
		memcpy(where, text, length + 1);
	return 0;
}

static int read_bytes(struct reader *r, const struct setting *s, void *where)
{
	const void *bytes;
	size_t size;
	int q = sd_bus_message_read_array(r->m, 'y', &bytes, &size);

	if (q < 0)
		return q;
	if (size > 0 && memchr(bytes, '\0', size))
		return reader_refuse(r, "the option %s has a zero in it", s->name);
	return read_owned(size > 0 ? bytes : "", size, where);
}

/* A text that is no path stays as it is: it names no file that exists. */
static int read_path(struct reader *r, char **where)
{
	const char *text;
	char *path;
	int q = sd_bus_message_read_basic(r->m, 's', &text);

	if (q < 0)
		return q;
	q = path_from_text(text, &path);
	if (q == -EINVAL)
		return read_owned(text, strlen(text), where);
	if (q < 0)
		return q;
	free(*where);
	*where = path;
	return 0;
}

/* A name that is not known is one of a later version. */
static int read_name(struct reader *r, const struct setting *s, unsigned *where)
{
	const char *text;
	int q = sd_bus_message_read_basic(r->m, 's', &text);

	if (q < 0)
		return q;
	for (unsigned i = 0; i < s->size; i++)
		if (s->names[i] && strcmp(s->names[i], text) == 0) {
			*where = i;
			return 0;
		}
	return r->lenient ? 0
			  : reader_refuse(r, "the option %s cannot be \"%.64s\"", s->name, text);
}

static int read_bits(struct reader *r, const struct setting *s, uint32_t *where)
{
	const void *array;
	const uint32_t *numbers;
	size_t size;
	int q = sd_bus_message_read_array(r->m, 'u', &array, &size);

	if (q < 0)
		return q;
	numbers = array;
	*where = 0;
	for (size_t i = 0; i < size / sizeof(*numbers); i++) {
		if (numbers[i] < 32)
			*where |= UINT32_C(1) << numbers[i];
		else if (!r->lenient)
			return reader_refuse(r, "the option %s has a number above 31", s->name);
	}
	return 0;
}

static int read_list(struct reader *r, const struct setting *s, char ***where)
{
	char **texts = NULL;
	size_t n = 0;
	int q = sd_bus_message_read_strv(r->m, &texts);

	if (q < 0)
		return q;
	while (texts && texts[n])
		n++;
	if (n > s->size && !r->lenient) {
		settings_free_list(texts);
		return reader_refuse_length(r, s);
	}
	while (n > s->size) {
		free(texts[--n]);
		texts[n] = NULL;
	}
	settings_free_list(*where);
	*where = texts;
	return 0;
}

static int read_texts(struct reader *r, const struct setting *s, const char **where)
{
	const char *text;
	size_t n = 0;
	int q = sd_bus_message_enter_container(r->m, 'a', "s");

	while (q >= 0) {
		q = sd_bus_message_read_basic(r->m, 's', &text);
		if (q <= 0)
			break;
		if (n + 1 >= s->size)
			return reader_refuse_length(r, s);
		where[n++] = text;
	}
	where[n] = NULL;
	return q < 0 ? q : sd_bus_message_exit_container(r->m);
}

static int read_truth(struct reader *r, const struct setting *s, void *where)
{
	int truth;
	int q = sd_bus_message_read_basic(r->m, 'b', &truth);

	if (q < 0)
		return q;
	if (s->kind == SETTING_BOOL)
		*(bool *)where = truth != 0;
	else
		*(enum choice *)where = truth ? CHOICE_YES : CHOICE_NO;
	return 0;
}

static int read_contents(struct reader *r, const struct setting *s, const char *type, void *where)
{
	switch (s->kind) {
	case SETTING_BYTES:
		return *type == 'a' ? read_bytes(r, s, where) : read_text(r, s, where);
	case SETTING_BUFFER:
	case SETTING_TEXT:
	case SETTING_OWNED:
		return read_text(r, s, where);
	case SETTING_PATH:
		return read_path(r, where);
	case SETTING_NAME:
		return read_name(r, s, where);
	case SETTING_BITS:
		return read_bits(r, s, where);
	case SETTING_TEXTS:
		return read_texts(r, s, where);
	case SETTING_LIST:
		return read_list(r, s, where);
	case SETTING_BOOL:
	case SETTING_CHOICE:
		return read_truth(r, s, where);
	case SETTING_U32:
	case SETTING_U64:
	case SETTING_INT:
		break;
	}
	return sd_bus_message_read_basic(r->m, *type, where);
}

static int read_value(struct reader *r, const struct setting *s, void *values)
{
	const char *type;
	int q = sd_bus_message_peek_type(r->m, NULL, &type);

	if (q < 0)
		return q;
	if (strcmp(type, setting_type(s)) != 0 &&
	    !(s->kind == SETTING_BYTES && strcmp(type, "ay") == 0))
		return reader_refuse(r, "the option %s must be of type %s", s->name,
				     setting_type(s));
	q = sd_bus_message_enter_container(r->m, 'v', type);
	if (q < 0)
		return q;
	q = read_contents(r, s, type, (char *)values + s->where);
	return q < 0 ? q : sd_bus_message_exit_container(r->m);
}

static const struct setting *find_row(const struct reader *r, const char *name, void **ret_values,
				      unsigned *ret_number)
{
	unsigned n = 0;

	for (const struct settings_part *p = r->parts; p->rows; p++)
		for (const struct setting *s = p->rows; s->name; s++, n++) {
			if (!setting_is_of(s, r->place) || strcmp(s->name, name) != 0)
				continue;
			assert(n < 64);
			*ret_values = p->values;
			*ret_number = n;
			return s;
		}
	return NULL;
}

/* A name comes once, so that nobody has to know which of two counts. */
static int read_entry(struct reader *r)
{
	const struct setting *s;
	const char *name;
	unsigned n = 0;
	void *values;
	int q = sd_bus_message_read_basic(r->m, 's', &name);

	if (q < 0)
		return q;
	s = find_row(r, name, &values, &n);
	if (!s && r->lenient)
		return sd_bus_message_skip(r->m, "v");
	if (!s)
		return reader_refuse(r, "the option \"%.64s\" is not known", name);
	if (r->seen & UINT64_C(1) << n)
		return reader_refuse(r, "the option %s is given twice", name);
	r->seen |= UINT64_C(1) << n;
	return read_value(r, s, values);
}

static int read_dictionary(struct reader *r)
{
	int q = sd_bus_message_enter_container(r->m, 'a', "{sv}");

	if (q < 0)
		return q;
	while ((q = sd_bus_message_enter_container(r->m, 'e', "sv")) > 0) {
		q = read_entry(r);
		if (q >= 0)
			q = sd_bus_message_exit_container(r->m);
		if (q < 0)
			return q;
	}
	if (q >= 0)
		q = sd_bus_message_exit_container(r->m);
	return q < 0 ? q : 0;
}

int settings_read(sd_bus_message *m, const struct settings_part *parts, unsigned place,
		  char *problem, size_t size)
{
	struct reader r = {
		.m = m, .parts = parts, .place = place, .problem = problem, .size = size};

	assert(problem && size > 0);
	return read_dictionary(&r);
}

int settings_read_known(sd_bus_message *m, const struct settings_part *parts, unsigned place)
{
	struct reader r = {.m = m, .parts = parts, .place = place, .lenient = true};

	return read_dictionary(&r);
}

/* --- writing --- */

static bool is_set(const struct setting *s, const void *where)
{
	switch (s->kind) {
	case SETTING_BUFFER:
		return *(const char *)where != '\0';
	case SETTING_TEXT:
	case SETTING_OWNED:
	case SETTING_BYTES:
	case SETTING_PATH:
		return *(const char *const *)where != NULL;
	case SETTING_U32:
	case SETTING_BITS:
		return *(const uint32_t *)where != 0;
	case SETTING_U64:
		return *(const uint64_t *)where != 0;
	case SETTING_INT:
		return *(const int32_t *)where >= 0;
	case SETTING_BOOL:
		return *(const bool *)where;
	case SETTING_CHOICE:
		return *(const enum choice *)where != CHOICE_CONFIGURED;
	case SETTING_NAME:
		assert(*(const unsigned *)where < s->size);
		return s->names[*(const unsigned *)where] != NULL;
	case SETTING_LIST:
		return *(char *const *const *)where != NULL;
	case SETTING_TEXTS:
		break;
	}
	assert(false); /* texts of somebody else are only read */
	return false;
}

static int append_path(sd_bus_message *m, const char *path)
{
	_cleanup_free_ char *text = path_to_text(path);

	return text ? bus_append_text(m, text) : -ENOMEM;
}

static int append_bits(sd_bus_message *m, uint32_t bits)
{
	uint32_t numbers[32];
	size_t n = 0;

	for (uint32_t i = 0; i < 32; i++)
		if (bits & UINT32_C(1) << i)
			numbers[n++] = i;
	return sd_bus_message_append_array(m, 'u', numbers, n * sizeof(numbers[0]));
}

static int append_list(sd_bus_message *m, char *const *texts)
{
	int r = sd_bus_message_open_container(m, 'a', "s");

	if (r < 0)
		return r;
	for (char *const *text = texts; text && *text; text++) {
		r = bus_append_text(m, *text);
		if (r < 0)
			return r;
	}
	return sd_bus_message_close_container(m);
}

static int append_contents(sd_bus_message *m, const struct setting *s, const void *where)
{
	int truth;

	switch (s->kind) {
	case SETTING_BUFFER:
		return bus_append_text(m, where);
	case SETTING_TEXT:
	case SETTING_OWNED:
		return bus_append_text(m, *(const char *const *)where);
	case SETTING_PATH:
		return append_path(m, *(const char *const *)where ?: "");
	case SETTING_NAME:
		return bus_append_text(m, s->names[*(const unsigned *)where]);
	case SETTING_BITS:
		return append_bits(m, *(const uint32_t *)where);
	case SETTING_LIST:
		return append_list(m, *(char *const *const *)where);
	case SETTING_CHOICE:
		truth = *(const enum choice *)where == CHOICE_YES;
		break;
	case SETTING_BOOL:
		truth = *(const bool *)where;
		break;
	case SETTING_U32:
	case SETTING_U64:
	case SETTING_INT:
	case SETTING_BYTES:
	case SETTING_TEXTS:
	default:
		return sd_bus_message_append_basic(m, *setting_type(s), where);
	}
	return sd_bus_message_append_basic(m, 'b', &truth);
}

static int append_bytes(sd_bus_message *m, const char *bytes)
{
	const bool is_text = text_is_valid(bytes);
	int r = sd_bus_message_open_container(m, 'v', is_text ? "s" : "ay");

	if (r < 0)
		return r;
	r = is_text ? sd_bus_message_append_basic(m, 's', bytes)
		    : sd_bus_message_append_array(m, 'y', bytes, strlen(bytes));
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_value(sd_bus_message *m, const struct setting *s, const void *where)
{
	int r = sd_bus_message_open_container(m, 'v', setting_type(s));

	if (r < 0)
		return r;
	r = append_contents(m, s, where);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_entry(sd_bus_message *m, const struct setting *s, const void *where)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r < 0)
		return r;
	r = sd_bus_message_append_basic(m, 's', s->name);
	if (r < 0)
		return r;
	r = s->kind == SETTING_BYTES ? append_bytes(m, *(const char *const *)where)
				     : append_value(m, s, where);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int settings_append_entries(sd_bus_message *m, const struct setting *rows, const void *values,
			    unsigned place)
{
	int r = 0;

	for (const struct setting *s = rows; s->name; s++) {
		const void *where = (const char *)values + s->where;

		if (!setting_is_of(s, place) || (!s->always && !is_set(s, where)))
			continue;
		r = append_entry(m, s, where);
		if (r < 0)
			return r;
	}
	return r;
}

int settings_append(sd_bus_message *m, const struct settings_source *sources, unsigned place)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r < 0)
		return r;
	for (const struct settings_source *p = sources; p->rows; p++) {
		r = settings_append_entries(m, p->rows, p->values, place);
		if (r < 0)
			return r;
	}
	return sd_bus_message_close_container(m);
}
