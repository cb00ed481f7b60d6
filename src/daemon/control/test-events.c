/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines of the journal, and on standard error in its place. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* As events.c has it. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/control/core.h"
#include "daemon/control/events.h"
#include "util/log.h"

#define UUID "6a0a6c3e-0e6f-4ea5-9a25-000000000001"

static char name[600], device[] = "/dev/sdb2";
static struct manager_core core;
static struct manager manager = {.core = &core};
static struct volume v = {
	.uuid = UUID, .manager = &manager, .place = {.name = name, .device = device}};

static struct {
	unsigned n;
	int level;
	char text[2048];
} line;

static struct {
	int answer;
	unsigned n;
	char fields[16][1400];
} journal;

/* In place of the journal's library. */
int sd_journal_sendv(const struct iovec *iov, int n)
{
	journal.n = 0;
	for (int i = 0; i < n && i < 16; i++)
		(void)snprintf(journal.fields[journal.n++], sizeof(*journal.fields), "%.*s",
			       (int)iov[i].iov_len, (const char *)iov[i].iov_base);
	return journal.answer;
}

static bool has_field(const char *field)
{
	for (unsigned i = 0; i < journal.n; i++)
		if (strcmp(journal.fields[i], field) == 0)
			return true;
	return false;
}

static void take_line(int level, const char *text)
{
	line.n++;
	line.level = level;
	(void)snprintf(line.text, sizeof(line.text), "%s", text);
}

static int begin(void **state)
{
	(void)state;
	(void)unsetenv("JOURNAL_STREAM");
	strcpy(name, "data");
	memset(&line, 0, sizeof(line));
	memset(&journal, 0, sizeof(journal));
	log_set_level(LOG_NOTICE);
	log_forward(take_line);
	return 0;
}

static int end(void **state)
{
	(void)state;
	log_forward(NULL);
	return unsetenv("JOURNAL_STREAM");
}

static void without_a_journal_it_is_a_line(void **state)
{
	(void)state;
	event_volume(&v, &(struct event){.id = EVENT_ROTATION_FAILED, .level = LOG_ERR},
		     "rotation failed: %s %d", "error", 5);
	assert_int_equal(line.n, 1);
	assert_int_equal(line.level, LOG_ERR);
	assert_string_equal(line.text, "data: rotation failed: error 5");
	assert_int_equal(journal.n, 0);
	*name = '\0';
	event_volume(&v, &(struct event){.id = EVENT_ROTATION_STARTED, .level = LOG_NOTICE},
		     "rotation started");
	assert_string_equal(line.text, "/dev/sdb2: rotation started");
}

static void the_journal_has_the_fields_of_the_catalog(void **state)
{
	(void)state;
	(void)setenv("JOURNAL_STREAM", "8:1", 1);
	event_volume(&v, &(struct event){.id = EVENT_ROTATION_SUSPENDED, .level = LOG_NOTICE},
		     "rotation suspended: %s", "night");
	assert_true(has_field("MESSAGE=data: rotation suspended: night"));
	assert_true(has_field("MESSAGE_ID=" EVENT_ROTATION_SUSPENDED));
	assert_true(has_field("PRIORITY=5"));
	assert_true(has_field("VOLUME=data"));
	assert_true(has_field("VOLUME_UUID=" UUID));
	assert_true(has_field("DEVICE=/dev/sdb2"));
	assert_int_equal(line.n, 0); /* or it would be there twice */
}

static void what_the_journal_does_not_take_is_a_line(void **state)
{
	(void)state;
	(void)setenv("JOURNAL_STREAM", "8:1", 1);
	journal.answer = -1;
	event_volume(&v, &(struct event){.id = EVENT_ROTATION_STARTED, .level = LOG_NOTICE},
		     "rotation started");
	assert_int_equal(line.n, 1);
}

/* Whatever a caller, a header or a device's name has in it, it is one line and one field. */
static void hostile_text_makes_no_line_of_its_own(void **state)
{
	(void)state;
	strcpy(name, "a\nPRIORITY=0\033[2J");
	(void)setenv("JOURNAL_STREAM", "8:1", 1);
	event_volume(&v, &(struct event){.id = EVENT_ROTATION_SUSPENDED, .level = LOG_NOTICE}, "%s",
		     "b\nMESSAGE_ID=0\r\xff\x1b]0;x");
	for (unsigned i = 0; i < journal.n; i++)
		assert_null(strpbrk(journal.fields[i], "\n\r\033\xff"));
	assert_non_null(strstr(journal.fields[0], "MESSAGE=a"));
	(void)unsetenv("JOURNAL_STREAM");
	event_volume(&v, &(struct event){.id = EVENT_ROTATION_SUSPENDED, .level = LOG_NOTICE}, "%s",
		     "b\nroot logged in\033[2J");
	assert_int_equal(line.n, 1);
	assert_null(strpbrk(line.text, "\n\r\033"));
}

/* Two bytes a character: a cut in the middle would make the field no text at all. */
static void long_text_is_cut_between_characters(void **state)
{
	char text[1300];

	(void)state;
	for (size_t i = 0; i < sizeof(name) - 2; i += 2)
		memcpy(name + i, "\303\274", 3);
	for (size_t i = 0; i < sizeof(text) - 2; i += 2)
		memcpy(text + i, "\303\266", 3);
	(void)setenv("JOURNAL_STREAM", "8:1", 1);
	event_volume(&v, &(struct event){.id = EVENT_ROTATION_SUSPENDED, .level = LOG_NOTICE}, "%s",
		     text);
	for (unsigned i = 0; i < journal.n; i++) {
		const char *f = journal.fields[i];
		const size_t n = strlen(f);

		if (strncmp(f, "VOLUME=", 7) == 0 || strncmp(f, "MESSAGE=", 8) == 0) {
			assert_true(n > 200);
			assert_true((unsigned char)f[n - 1] == 0274 ||
				    (unsigned char)f[n - 1] == 0266);
			assert_null(strchr(f, '?'));
		}
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_journal_it_is_a_line),
		TEST(the_journal_has_the_fields_of_the_catalog),
		TEST(what_the_journal_does_not_take_is_a_line),
		TEST(hostile_text_makes_no_line_of_its_own),
		TEST(long_text_is_cut_between_characters),
	};

	log_init("test-events", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
