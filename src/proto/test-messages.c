/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The messages between manager and worker: each row of each message goes through a message of a
 * real connection and comes back, unset, set and at its limits. What no honest sender says is
 * refused in an order, and in a report either not understood, skipped or cut. The tests walk the
 * rows, so that one that is added is in all of this.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/settings-bus.h"
#include "model/test-bus.h"
#include "proto/messages.h"
#include "util/checked.h"
#include "util/cleanup.h"

#define LONG_TEXT         ((size_t)100000)
#define LONG_LIST         ((size_t)5000) /* its message grows with each, and may be copied each time */
#define _cleanup_message_ _cleanup_(sd_bus_message_unrefp)

/* A row of a message that counts there. */
struct row {
	enum message_kind kind;
	const struct message_format *message;
	const struct setting *s;
	size_t where; /* of its value, in the struct of the message */
};

static void each_row(void (*test)(const struct row *row))
{
	for (unsigned kind = 0; kind < MESSAGE_COUNT; kind++) {
		const struct message_format *d = &messages[kind];

		for (size_t i = 0; d->part[i].rows; i++)
			for (const struct setting *s = d->part[i].rows; s->name; s++) {
				const struct row row = {(enum message_kind)kind, d, s,
							d->part[i].where + s->where};

				if (!d->place || !s->places || s->places & d->place)
					test(&row);
			}
	}
}

static void *new_value(enum message_kind kind)
{
	void *value = malloc(messages[kind].size);

	assert_non_null(value);
	message_init(kind, value);
	return value;
}

static void free_value(enum message_kind kind, void *value)
{
	message_clear(kind, value);
	free(value);
}

/* --- values --- */

static char *text_of(size_t length, char with)
{
	char *text = malloc(length + 1);

	assert_non_null(text);
	memset(text, with, length);
	text[length] = '\0';
	return text;
}

/* Names that are no text have two bytes that are never valid. */
static char *path_of(size_t length)
{
	char *path = text_of(length, 'x');

	path[0] = '/';
	path[1] = '\xff';
	path[length - 1] = '\xfe';
	return path;
}

static char **list_of(size_t n)
{
	char **list = calloc(n + 1, sizeof(*list));

	assert_non_null(list);
	for (size_t i = 0; i < n; i++)
		assert_true(asprintf(&list[i], "text-%zu", i) > 0);
	return list;
}

/* The least that the row can have beside unset, or the most. */
static void set_value(const struct setting *s, void *where, bool most)
{
	char *text;

	switch (s->kind) {
	case SETTING_BUFFER:
		text = text_of(most ? s->size - 1 : 1, 'x');
		memcpy(where, text, strlen(text) + 1);
		free(text);
		return;
	case SETTING_OWNED:
		*(char **)where = text_of(most ? LONG_TEXT : 1, 'x');
		return;
	case SETTING_BYTES:
		*(char **)where = most ? path_of(LONG_TEXT) : text_of(1, 'x');
		return;
	case SETTING_PATH:
		*(char **)where = most ? path_of(PATH_MAX - 1) : text_of(1, '/');
		return;
	case SETTING_U32:
	case SETTING_BITS:
		*(uint32_t *)where = most ? UINT32_MAX : 1;
		return;
	case SETTING_U64:
		*(uint64_t *)where = most ? UINT64_MAX : 1;
		return;
	case SETTING_INT:
		*(int32_t *)where = most ? INT32_MAX : 0;
		return;
	case SETTING_BOOL:
		*(bool *)where = most;
		return;
	case SETTING_NAME:
		*(unsigned *)where = most ? (unsigned)s->size - 1 : 1;
		return;
	case SETTING_LIST:
		*(char ***)where = list_of(most ? s->size : 1);
		return;
	case SETTING_TEXT:
	case SETTING_CHOICE:
	case SETTING_TEXTS:
		break;
	}
	fail_msg("%s: no message has values of this kind", s->name);
}

static bool is_same_list(char *const *a, char *const *b)
{
	size_t i = 0;

	while (a && b && a[i] && b[i] && strcmp(a[i], b[i]) == 0)
		i++;
	return (!a || !a[i]) && (!b || !b[i]);
}

/* A text that is read is never NULL. */
static bool is_same(const struct setting *s, const void *a, const void *b)
{
	switch (s->kind) {
	case SETTING_BUFFER:
		return strcmp(a, b) == 0;
	case SETTING_OWNED:
	case SETTING_BYTES:
	case SETTING_PATH:
		return strcmp(*(char *const *)a ?: "", *(char *const *)b ?: "") == 0;
	case SETTING_U64:
		return memcmp(a, b, sizeof(uint64_t)) == 0;
	case SETTING_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case SETTING_LIST:
		return is_same_list(*(char *const *const *)a, *(char *const *const *)b);
	case SETTING_U32:
	case SETTING_BITS:
	case SETTING_INT:
	case SETTING_NAME:
		return memcmp(a, b, sizeof(uint32_t)) == 0;
	case SETTING_TEXT:
	case SETTING_CHOICE:
	case SETTING_TEXTS:
		break;
	}
	return false;
}

static void assert_same(enum message_kind kind, const void *a, const void *b)
{
	const struct message_format *d = &messages[kind];

	for (size_t i = 0; d->part[i].rows; i++)
		for (const struct setting *s = d->part[i].rows; s->name; s++) {
			const size_t where = d->part[i].where + s->where;

			if (!is_same(s, (const char *)a + where, (const char *)b + where))
				fail_msg("%s: another %s has come back", d->name, s->name);
		}
}

/* --- what an honest sender says --- */

/* As the order or the report that it is, and by both ways of reading. */
static void round_trip(enum message_kind kind, const void *value)
{
	_cleanup_message_ sd_bus_message *m = test_message_new();
	const struct message_format *d = &messages[kind];
	char problem[128] = "";

	assert_true(message_append(m, kind, value) >= 0);
	test_message_seal(m);
	for (unsigned way = 0; way < 3; way++) {
		struct settings_part parts[MESSAGE_PARTS_MAX] = {};
		void *found = new_value(kind);
		int r;

		for (size_t i = 0; d->part[i].rows; i++)
			parts[i] = (struct settings_part){d->part[i].rows,
							  (char *)found + d->part[i].where};
		if (way == 0)
			r = message_read(m, kind, found, problem, sizeof(problem));
		else if (way == 1)
			r = settings_read(m, parts, d->place, problem, sizeof(problem));
		else
			r = settings_read_known(m, parts, d->place);
		if (r < 0)
			fail_msg("%s: not read: %s", d->name, problem);
		assert_same(kind, value, found);
		free_value(kind, found);
		assert_true(sd_bus_message_rewind(m, true) >= 0);
	}
}

static void round_trip_row(const struct row *row)
{
	for (unsigned most = 0; most < 2; most++) {
		void *value = new_value(row->kind);

		set_value(row->s, (char *)value + row->where, most);
		round_trip(row->kind, value);
		free_value(row->kind, value);
	}
}

static void each_entry_comes_back(void **state)
{
	(void)state;
	each_row(round_trip_row);
}

static void round_trip_names(const struct row *row)
{
	void *value = new_value(row->kind);

	for (unsigned i = 0; row->s->kind == SETTING_NAME && i < row->s->size; i++) {
		*(unsigned *)((char *)value + row->where) = i;
		round_trip(row->kind, value);
	}
	free_value(row->kind, value);
}

static void each_name_comes_back(void **state)
{
	(void)state;
	each_row(round_trip_names);
}

static enum message_kind filled_kind;
static void *filled;

static void fill_row(const struct row *row)
{
	static bool most;

	if (row->kind == filled_kind)
		set_value(row->s, (char *)filled + row->where, most = !most);
}

static void a_message_comes_back_with_all_entries_and_without_any(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < MESSAGE_COUNT; kind++) {
		filled_kind = (enum message_kind)kind;
		filled = new_value(filled_kind);
		round_trip(filled_kind, filled);
		each_row(fill_row);
		round_trip(filled_kind, filled);
		free_value(filled_kind, filled);
	}
}

static bool has_entry(sd_bus_message *m, const char *name)
{
	const char *found;

	assert_true(sd_bus_message_rewind(m, true) >= 0);
	assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") >= 0);
	while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
		assert_true(sd_bus_message_read_basic(m, 's', &found) > 0);
		if (strcmp(found, name) == 0)
			return true;
		assert_true(sd_bus_message_skip(m, "v") >= 0);
		assert_true(sd_bus_message_exit_container(m) >= 0);
	}
	return false;
}

/* A version without the row has to get along with a message in which it is unset. */
static void leave_out_unset(const struct row *row)
{
	_cleanup_message_ sd_bus_message *m = test_message_new();
	void *unset = new_value(row->kind);

	assert_true(message_append(m, row->kind, unset) >= 0);
	test_message_seal(m);
	if (row->s->always)
		assert_false(row->message->order);
	else if (row->s->kind != SETTING_NAME && has_entry(m, row->s->name))
		fail_msg("%s: %s is sent unset", row->message->name, row->s->name);
	free_value(row->kind, unset);
}

static void what_is_unset_is_not_sent(void **state)
{
	(void)state;
	each_row(leave_out_unset);
}

/* --- what no honest sender says --- */

static void append_value(sd_bus_message *m, const char *type, const char *text, size_t n)
{
	static const uint32_t numbers[LONG_TEXT] = {31, 32, UINT32_MAX};
	static const uint64_t zero;

	switch (*type) {
	case 's':
		assert_true(sd_bus_message_append_basic(m, 's', text) >= 0);
		return;
	case 'v':
		assert_true(sd_bus_message_append(m, "v", "u", 1) >= 0);
		return;
	case 'a':
		break;
	default:
		assert_true(sd_bus_message_append_basic(m, *type, &zero) >= 0);
		return;
	}
	if (type[1] != 's') {
		assert_true(sd_bus_message_append_array(m, type[1], numbers,
							n * (type[1] == 'u' ? 4 : 1)) >= 0);
		return;
	}
	assert_true(sd_bus_message_open_container(m, 'a', "s") >= 0);
	for (size_t i = 0; i < n; i++)
		assert_true(sd_bus_message_append_basic(m, 's', text) >= 0);
	assert_true(sd_bus_message_close_container(m) >= 0);
}

static void append_entry(sd_bus_message *m, const char *name, const char *type, const char *text,
			 size_t n)
{
	assert_true(sd_bus_message_open_container(m, 'e', "sv") >= 0);
	assert_true(sd_bus_message_append_basic(m, 's', name) >= 0);
	assert_true(sd_bus_message_open_container(m, 'v', type) >= 0);
	append_value(m, type, text, n);
	assert_true(sd_bus_message_close_container(m) >= 0);
	assert_true(sd_bus_message_close_container(m) >= 0);
}

/* A dictionary with one entry, @times; @n: how many members an array has. */
static sd_bus_message *make_entry(const char *name, const char *type, const char *text, size_t n,
				  unsigned times)
{
	sd_bus_message *m = test_message_new();

	assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
	for (unsigned i = 0; i < times; i++)
		append_entry(m, name, type, text, n);
	assert_true(sd_bus_message_close_container(m) >= 0);
	test_message_seal(m);
	return m;
}

/* Reads @m, which is unref'ed: an error leaves the value as it is without an entry. */
static int read_hostile(enum message_kind kind, sd_bus_message *m, void *ret)
{
	void *unset = new_value(kind);
	char problem[128] = "";
	int r = message_read(m, kind, ret, problem, sizeof(problem));

	if (r < 0)
		assert_same(kind, ret, unset);
	assert_int_equal(*problem != '\0', r == -EINVAL);
	free_value(kind, unset);
	sd_bus_message_unref(m);
	return r;
}

static void assert_refused(const struct row *row, sd_bus_message *m)
{
	void *value = new_value(row->kind);
	const int r = read_hostile(row->kind, m, value);

	if (r != (row->message->order ? -EINVAL : -EBADMSG))
		fail_msg("%s: a wrong %s gives %d", row->message->name, row->s->name, r);
	free_value(row->kind, value);
}

static const char *const types[] = {"s", "u", "t", "b", "i", "x", "as", "au", "ay", "v"};

static const char *type_of(const struct row *row)
{
	static const char *const of[] = {
		[SETTING_BUFFER] = "s", [SETTING_OWNED] = "s", [SETTING_BYTES] = "s",
		[SETTING_PATH] = "s",   [SETTING_U32] = "u",   [SETTING_U64] = "t",
		[SETTING_INT] = "i",    [SETTING_BOOL] = "b",  [SETTING_NAME] = "s",
		[SETTING_BITS] = "au",  [SETTING_LIST] = "as",
	};

	assert_non_null(of[row->s->kind]);
	return of[row->s->kind];
}

static void refuse_other_types(const struct row *row)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i], type_of(row)) != 0 &&
		    !(row->s->kind == SETTING_BYTES && strcmp(types[i], "ay") == 0))
			assert_refused(row, make_entry(row->s->name, types[i], "x", 1, 1));
}

static void another_type_is_refused(void **state)
{
	(void)state;
	each_row(refuse_other_types);
}

static void refuse_duplicates(const struct row *row)
{
	assert_refused(row, make_entry(row->s->name, type_of(row),
				       row->s->names ? row->s->names[1] : "/x", 1, 2));
}

static void an_entry_that_comes_twice_is_refused(void **state)
{
	(void)state;
	each_row(refuse_duplicates);
}

/* Of a later version, or of another message. */
static void an_unknown_entry_is_refused_in_an_order_and_skipped_in_a_report(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MESSAGE_COUNT * ARRAY_SIZE(types); i++) {
		const enum message_kind kind = (enum message_kind)(i / ARRAY_SIZE(types));
		const char *type = types[i % ARRAY_SIZE(types)];
		void *unset = new_value(kind), *value = new_value(kind);

		assert_int_equal(
			read_hostile(kind, make_entry("OfALaterVersion", type, "x", 3, 2), value),
			messages[kind].order ? -EINVAL : 0);
		assert_same(kind, value, unset);
		free_value(kind, value);
		free_value(kind, unset);
	}
}

/* What @row makes of a value that is too much: in an order nothing, in a report @expected. */
static void assert_cut(const struct row *row, sd_bus_message *m, const void *expected)
{
	void *value = new_value(row->kind);

	if (row->message->order) {
		assert_refused(row, m);
	} else {
		assert_int_equal(read_hostile(row->kind, m, value), 0);
		assert_true(is_same(row->s, (char *)value + row->where, expected));
	}
	free_value(row->kind, value);
}

static void cut_text(const struct row *row)
{
	_cleanup_free_ char *text = text_of(LONG_TEXT, 'x');
	_cleanup_free_ char *cut = text_of(row->s->size - 1, 'x');

	assert_cut(row, make_entry(row->s->name, "s", text, 0, 1), cut);
	text[row->s->size] = '\0';
	assert_cut(row, make_entry(row->s->name, "s", text, 0, 1), cut);
}

static void cut_list(const struct row *row)
{
	char **list = list_of(row->s->size);

	for (size_t i = 0; i < row->s->size; i++)
		assert_non_null(strcpy(list[i], "x"));
	assert_cut(row, make_entry(row->s->name, "as", "x", row->s->size + 1, 1), &list);
	assert_cut(row, make_entry(row->s->name, "as", "x", LONG_LIST, 1), &list);
	settings_free_list(list);
}

static void skip_unknown_name(const struct row *row)
{
	char *unset = new_value(row->kind);

	assert_cut(row, make_entry(row->s->name, "s", "of-a-later-version", 0, 1),
		   unset + row->where);
	free_value(row->kind, unset);
}

static void cut_row(const struct row *row)
{
	static const uint32_t bits = UINT32_C(1) << 31 | 1; /* of those that append_value() has */

	if (row->s->kind == SETTING_BUFFER)
		cut_text(row);
	else if (row->s->kind == SETTING_BITS)
		assert_cut(row, make_entry(row->s->name, "au", NULL, LONG_TEXT, 1), &bits);
	else if (row->s->kind == SETTING_LIST)
		cut_list(row);
	else if (row->s->kind == SETTING_NAME)
		skip_unknown_name(row);
}

static void what_is_too_much_is_refused_in_an_order_and_cut_in_a_report(void **state)
{
	(void)state;
	each_row(cut_row);
}

/* --- versions --- */

/*
 * Entries that earlier versions send and understand. If one of them went or got another type, such
 * a version would be told it no more.
 */
static const struct {
	enum message_kind kind;
	const char *entries;
} earlier[] = {
	{MESSAGE_LOOK,
	 "UUID s, Device s, HeaderDevice s, DeviceNumber t, DeviceInode t, HeaderNumber t, "
	 "HeaderInode t, Name s, Reencryption s, Mode s, Direction s, Resilience s, "
	 "ResilienceHash s, OldCipher s, NewCipher s, OldSectorSize u, NewSectorSize u, "
	 "NewKeySize u, KeepKey b, NewPbkdf s, NewPbkdfHash s, Stacked b, Supported b, "
	 "Keyslots au, Record s, RecordTrust s, Sequence t, OldSide s, NewSide s, Disks as, "
	 "BytesDone t, BytesTotal t, HotzoneOffset t, HotzoneSize t"},
	{MESSAGE_END, "UUID s, OldCipher s, BytesDone t, Outcome s, OpenedKeyslots au, "
		      "OldKeySize u, KeptKeyslots au, LostKeyslots au, Obstacle s, ObstacleName s, "
		      "EstimatedTime t"},
	{MESSAGE_PROGRESS,
	 "BytesDone t, BytesTotal t, HotzoneOffset t, HotzoneSize t, Rate t, LongestStall t, "
	 "StallPercentile999 t, LongestSuspend t, UnavoidableStall t, GovernorRate t, "
	 "GovernorReason s"},
	{MESSAGE_STATUS, "Job s, Version s, Unlocked b, Passphrases u, RateLimit t, HotzoneMax t, "
			 "StallTarget t, SkipUnwritten b, Verify b, BytesDone t, Rate t"},
	{MESSAGE_IDENTITY, "UUID s, DeviceNumber t, DeviceInode t, HeaderNumber t, HeaderInode t"},
	{MESSAGE_UNLOCK, "Type s, Keyslot i"},
	{MESSAGE_PROVIDER, "Provider s, Path s, Offset t, Size t, Name s, Description s, Token i, "
			   "Timeout t, Keyslot i"},
	{MESSAGE_PREPARE, "Cipher s, Resilience s, ResilienceHash s, Pbkdf s, PbkdfHash s, "
			  "KeySize u, SectorSize u, KeepKey b, LoseKeyslots b, ForceOffline b, "
			  "MayWeaken b, Keyslot i, PbkdfTime u, PbkdfIterations u, PbkdfMemory u, "
			  "PbkdfParallel u, SkipUnwritten b, Verify b, LeastSequence t, Side s"},
	{MESSAGE_RUN, "SkipUnwritten b, Verify b, LeastSequence t"},
};

static char now_there[4096]; /* the entries of one message, as above, with a comma behind each */

static void note_row(const struct row *row)
{
	const size_t used = strlen(now_there);

	if (row->kind == filled_kind)
		(void)snprintf(now_there + used, sizeof(now_there) - used, "%s %s,", row->s->name,
			       type_of(row));
}

static void entries_of_earlier_versions_keep_name_and_type(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(earlier); i++) {
		_cleanup_free_ char *entries = strdup(earlier[i].entries);
		char *save, entry[64];

		assert_non_null(entries);
		filled_kind = earlier[i].kind;
		now_there[0] = '\0';
		each_row(note_row);
		for (char *e = strtok_r(entries, ",", &save); e; e = strtok_r(NULL, ",", &save)) {
			(void)snprintf(entry, sizeof(entry), "%s,", e + strspn(e, " "));
			if (!strstr(now_there, entry))
				fail_msg("%s: no entry %s", messages[filled_kind].name, entry);
		}
	}
}

/* What an older worker leaves out, and what it cannot say. */
static void a_look_is_whole_without_any_entry(void **state)
{
	_cleanup_message_ sd_bus_message *m = test_message_new();
	struct worker_look l;

	(void)state;
	assert_true(sd_bus_message_append(m, "a{sv}", 0) >= 0);
	test_message_seal(m);
	assert_int_equal(message_read(m, MESSAGE_LOOK, &l, NULL, 0), 0);
	assert_false(l.valid);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(
			((char *[]){l.uuid, l.device, l.header_device, l.name, l.record})[i], "");
	assert_true(l.supported);
	assert_int_equal(l.trust, RECORD_UNVERIFIED);
	assert_int_equal(l.reencryption, REENCRYPTION_NONE);
	assert_false(node_is_known(l.node));
	message_clear(MESSAGE_LOOK, &l);
}

static void a_look_has_a_canonical_uuid_and_a_path_as_bytes(void **state)
{
	_cleanup_message_ sd_bus_message *m = test_message_new();
	struct worker_look l;

	(void)state;
	assert_true(sd_bus_message_append(m, "a{sv}", 4, "UUID", "s",
					  "0D8D5B2F-6F0C-4B0A-9D6D-3A3C1A6C7F01", "Device", "s",
					  "file:///srv/B%FCro.img", "HeaderDevice", "s", "no path?",
					  "Name", "s", "file:///x") >= 0);
	test_message_seal(m);
	assert_int_equal(message_read(m, MESSAGE_LOOK, &l, NULL, 0), 0);
	assert_true(l.valid);
	assert_string_equal(l.uuid, "0d8d5b2f-6f0c-4b0a-9d6d-3a3c1a6c7f01");
	assert_string_equal(l.device, "/srv/B\xfcro.img");
	assert_string_equal(l.header_device, "no path?");
	assert_string_equal(l.name, "file:///x");
	message_clear(MESSAGE_LOOK, &l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_entry_comes_back),
		cmocka_unit_test(each_name_comes_back),
		cmocka_unit_test(a_message_comes_back_with_all_entries_and_without_any),
		cmocka_unit_test(what_is_unset_is_not_sent),
		cmocka_unit_test(another_type_is_refused),
		cmocka_unit_test(an_entry_that_comes_twice_is_refused),
		cmocka_unit_test(an_unknown_entry_is_refused_in_an_order_and_skipped_in_a_report),
		cmocka_unit_test(what_is_too_much_is_refused_in_an_order_and_cut_in_a_report),
		cmocka_unit_test(entries_of_earlier_versions_keep_name_and_type),
		cmocka_unit_test(a_look_is_whole_without_any_entry),
		cmocka_unit_test(a_look_has_a_canonical_uuid_and_a_path_as_bytes),
	};

	return cmocka_run_group_tests(tests, test_bus_connect, test_bus_disconnect);
}
