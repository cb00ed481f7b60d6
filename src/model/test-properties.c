/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each property is in the XML of the bus and in its manual, with its type, and none besides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "model/properties.h"
#include "model/test-text.h"
#include "util/cleanup.h"

static size_t count(const char *text, const char *part)
{
	size_t n = 0;

	for (const char *found = text; (found = strstr(found, part)); found++)
		n++;
	return n;
}

/* What stands before the name, and before and behind the type, of an entry. */
struct form {
	const char *name, *type, *end;
};

/* @text has one entry of this form for each row, and no other property, each of which has @any. */
static void assert_has_all(const struct property *rows, const char *text, const struct form *form,
			   const char *any)
{
	size_t n = 0;

	for (const struct property *p = rows; p->name; p++, n++) {
		char entry[128];

		(void)snprintf(entry, sizeof(entry), "%s%s%s%s%s", form->name, p->name, form->type,
			       p->type, form->end);
		if (count(text, entry) != 1)
			fail_msg("%s is there %zu times", entry, count(text, entry));
	}
	assert_int_equal(count(text, any), n);
}

static void compare(const struct property *rows, const char *interface)
{
	static const struct form in_xml = {"<property name=\"", "\" type=\"", "\" "},
				 in_manual = {"\n.It ", " (", ""};
	_cleanup_free_ char *xml = test_text_read("doc/org.recryptd1.xml"),
			    *manual = test_text_read("doc/org.recryptd1.5");
	char from[128];

	(void)snprintf(from, sizeof(from), "<interface name=\"%s\">", interface);
	assert_has_all(rows, test_text_part(xml, from, "</interface>"), &in_xml, "<property ");
	(void)snprintf(from, sizeof(from), ".Ss Properties of %s\n", interface);
	assert_has_all(rows, test_text_part(manual, from, "\n.El\n"), &in_manual, "\n.It ");
}

static void each_property_of_a_volume_is_documented(void **state)
{
	(void)state;
	compare(volume_properties, "org.recryptd1.Volume");
}

static void each_property_of_a_job_is_documented(void **state)
{
	(void)state;
	compare(job_properties, "org.recryptd1.Job");
}

static void lines_are_of_texts_and_switches(void **state)
{
	(void)state;
	for (const struct property *p = volume_properties; p->name; p++)
		if (p->label)
			assert_string_equal(p->type, p->text ? "b" : "s");
		else
			assert_null(p->text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_property_of_a_volume_is_documented),
		cmocka_unit_test(each_property_of_a_job_is_documented),
		cmocka_unit_test(lines_are_of_texts_and_switches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
