/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What people see of a volume, from what the daemon tells. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/volume-table.h"
#include "ctl/volume-view.h"
#include "model/properties.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/text.h"

/* A stream's contents, the caller's to free. */
static char *shown(int (*view)(json_object *, FILE *), const char *json)
{
	json_object *o = json_tokener_parse(json);
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(o);
	assert_non_null(f);
	assert_int_equal(view(o, f), 0);
	assert_int_equal(fclose(f), 0);
	json_object_put(o);
	return text;
}

static void assert_shows(int (*view)(json_object *, FILE *), const char *json, const char *part)
{
	char *text = shown(view, json);

	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
	free(text);
}

static void numbers_have_units(void **state)
{
	char text[VIEW_TEXT];

	(void)state;
	view_bytes(1023, text);
	assert_string_equal(text, "1023 B");
	view_bytes(UINT64_C(1536) << 20, text);
	assert_string_equal(text, "1.5 GiB");
	view_bytes(UINT64_MAX, text);
	assert_string_equal(text, "16.0 EiB");
	view_rate(UINT64_C(2) << 20, text);
	assert_string_equal(text, "2.0 MiB/s");
	view_duration(UINT64_C(59999999), text);
	assert_string_equal(text, "59s");
	view_duration(UINT64_C(3599) * 1000000, text);
	assert_string_equal(text, "59m59s");
	view_duration(UINT64_C(7260) * 1000000, text);
	assert_string_equal(text, "2h01m");
	view_duration(UINT64_MAX, text);
	assert_string_equal(text, "213503982 days");
	view_time(0, text);
	assert_string_equal(text, "-");
}

static void text_of_a_header_cannot_move_the_cursor(void **state)
{
	(void)state;
	assert_shows(view_volume, "{\"Name\": \"x\\u001b[31m\", \"State\": \"idle\"}", "x?[31m\n");
}

/* Escape, a right-to-left override, and CSI of C1. */
#define DIRTY     "\"d\\u001b\\u202e\\u009b\""
#define TEXT(key) "\"" key "\": " DIRTY ", "

static int view_work_of(json_object *v, FILE *out)
{
	return view_work(v, true, out);
}

static int view_outdated_work_of(json_object *v, FILE *out)
{
	return view_work(v, false, out);
}

static int view_table(json_object *volumes, const char *columns, unsigned width, FILE *out)
{
	const struct table_style style = {.width = width, .legend = true, .colour = true};

	return volume_table_print(volumes, columns, NULL, &style, out);
}

static int view_list(json_object *volumes, FILE *out)
{
	return view_table(volumes, VOLUME_LIST_COLUMNS, 0, out);
}

static int view_list_of_40(json_object *volumes, FILE *out)
{
	return view_table(volumes, VOLUME_LIST_COLUMNS, 40, out);
}

static int view_monitor(json_object *volumes, FILE *out)
{
	return view_table(volumes, VOLUME_MONITOR_COLUMNS, 0, out);
}

static void no_view_passes_on_what_a_terminal_obeys(void **state)
{
	static const char volume[] = "{" TEXT("Name") TEXT("Device") TEXT("HeaderDevice")
		TEXT("UUID") TEXT("Group") TEXT("State") TEXT("StateReason") TEXT("Mode")
			TEXT("Direction") TEXT("Resilience") TEXT("KeyId") TEXT("OldCipher")
				TEXT("NewCipher") TEXT("Governor") TEXT("GovernorReason")
					TEXT("Obstacle") "\"Windows\": [" DIRTY "], "
							 "\"Keys\": [[" DIRTY ", 1, " DIRTY
							 ", 0, 0, 0, 0]], "
							 "\"LastRotation\": {" TEXT("Outcome")
								 TEXT("Message") "\"EndTime\": 1}}";
	static const struct {
		int (*view)(json_object *, FILE *);
		const char *json;
	} views[] = {{view_volume, volume}, {view_work_of, volume}, {view_keys, volume},
		     {view_check, volume},  {view_monitor, NULL},   {view_list, NULL}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
		char list[sizeof(volume) + 2];
		_cleanup_free_ char *text = NULL, *masked = NULL;

		(void)snprintf(list, sizeof(list), "[%s]", volume);
		text = shown(views[i].view, views[i].json ?: list);
		assert_non_null(strstr(text, "d???"));
		masked = text_masked(text);
		for (char *c = text; *c; c++)
			if (*c == '\n')
				*c = '?';
		assert_string_equal(text, masked);
	}
}

static void a_volume_at_work_has_its_figures(void **state)
{
	static const char json[] =
		"[{\"Name\": \"home\", \"Device\": \"/dev/sda2\", \"State\": \"running\","
		"\"Mode\": \"reencrypt\", \"BytesTotal\": 1048576, \"BytesDone\": 131072,"
		"\"Rate\": 65536, \"RateLimit\": 131072}]";

	(void)state;
	assert_shows(view_list, json,
		     "NAME  STATE       SIZE   DONE        RATE        LIMIT  LEFT  DEVICE\n"
		     "home  running  1.0 MiB  12.5%  64.0 KiB/s  128.0 KiB/s     -  /dev/sda2\n");
	assert_shows(view_list_of_40, json,
		     "NAME  STATE     DONE        RATE  LEFT\n"
		     "home  running  12.5%  64.0 KiB/s     -\n");
}

static void all_is_done_while_it_is_finishing(void **state)
{
	(void)state;
	assert_shows(view_monitor,
		     "[{\"Name\": \"home\", \"State\": \"finishing\", \"Mode\": \"\", "
		     "\"BytesTotal\": 1024, \"BytesDone\": 0}]",
		     "home  finishing  [####################]  100.0%");
}

static void a_volume_is_called_by_its_mapping_or_its_file(void **state)
{
	(void)state;
	assert_shows(view_list, "[{\"Name\": \"\", \"Device\": \"/srv/a/image.luks\"}]",
		     "\nimage.luks ");
	assert_shows(view_list, "[{\"Name\": \"home\", \"Device\": \"/dev/sda2\"}]", "\nhome ");
}

static void what_needs_a_person_has_a_colour(void **state)
{
	(void)state;
	assert_shows(view_list, "[{\"Name\": \"a\", \"State\": \"failed\"}]", "\n\33[31ma ");
	assert_shows(view_list, "[{\"Name\": \"a\", \"State\": \"locked\"}]", "\n\33[33ma ");
	assert_shows(view_list, "[{\"Name\": \"a\", \"State\": \"running\"}]", "\na ");
}

static void columns_are_chosen_by_name(void **state)
{
	(void)state;
	assert_int_equal(volume_table_check("name,State,REASON"), 0);
	assert_int_equal(volume_table_check("NAME,,STATE"), -EINVAL);
	assert_int_equal(volume_table_check("NAMES"), -EINVAL);
	assert_int_equal(volume_table_check(""), -EINVAL);
}

static void who_is_made_way_for_and_until_when_is_told(void **state)
{
	static const char json[] =
		"{\"State\": \"running\", \"Governor\": \"idle\", \"GovernorRate\": 2097152,"
		"\"GovernorReason\": \"the volume is in use\\u001b\", \"Deadline\": 1,"
		"\"DeadlineAtRisk\": true,"
		"\"Windows\": [\"Mon 22:00 for 8h\", \"daily for 1h\"]}";
	char *text;

	(void)state;
	assert_shows(view_work_of, json,
		     "Governor:     idle, the volume is in use?: 2.0 MiB/s\n"
		     "Window:       Mon 22:00 for 8h\n"
		     "Window:       daily for 1h\n");
	assert_shows(view_work_of, json, ", will be missed\n");
	text = shown(view_work_of, "{\"State\": \"idle\", \"Governor\": \"none\", \"Windows\": [],"
				   "\"Deadline\": 0}");
	assert_string_equal(text, "Daemon:       idle\n");
	free(text);
}

static void each_property_with_a_line_is_shown(void **state)
{
	(void)state;
	for (const struct property *p = volume_properties; p->name; p++) {
		char json[64], line[128];

		if (!p->label)
			continue;
		(void)snprintf(json, sizeof(json), "{\"%s\": %s}", p->name,
			       p->text ? "true" : "\"x\"");
		(void)snprintf(line, sizeof(line), "%-13s %s\n", p->label, p->text ?: "x");
		assert_shows(view_volume, json, line);
	}
}

static void an_idle_volume_has_none(void **state)
{
	(void)state;
	assert_shows(view_list,
		     "[{\"Name\": \"\", \"Device\": \"/img\", \"State\": \"idle\", \"Mode\": \"\","
		     "\"BytesTotal\": 1024}]",
		     "img   idle   1.0 KiB     -     -      -     -  /img\n");
}

static void an_obstacle_is_told(void **state)
{
	static const char json[] = "{\"Obstacle\": \"no room\", \"OldCipher\": \"a\","
				   "\"OldSectorSize\": 512, \"LostKeyslots\": [1, 3],"
				   "\"KeptKeyslots\": [], \"BytesTotal\": 1}";

	(void)state;
	assert_shows(view_check, json, "Lost slots:   1 3\n");
	assert_shows(view_check, json, "Kept slots:   none\n");
	assert_shows(view_check, json, "Obstacle:     no room\n");
}

static void a_key_is_active_since_it_is_in_use(void **state)
{
	/* Registered, populated, activated and retired a day after one another. */
	static const char json[] =
		"{\"Keys\": [[\"id\", 1, \"active\", 86400000000, 172800000000, 259200000000, 0]]}";
	char active[VIEW_TEXT], line[256];

	(void)state;
	view_time(UINT64_C(259200000000), active);
	(void)snprintf(line, sizeof(line), "%10d %-10s %-36s  %-19s  -\n", 1, "active", "id",
		       active);
	assert_shows(view_keys, json, line);
}

static void keys_of_another_shape_are_refused(void **state)
{
	json_object *o = json_tokener_parse("{\"Keys\": [[\"id\"]]}");
	FILE *f = fopen("/dev/null", "w");

	(void)state;
	assert_non_null(f);
	assert_int_equal(view_keys(o, f), -EBADMSG);
	(void)fclose(f);
	json_object_put(o);
}

static void stall_target_out_of_reach_is_told(void **state)
{
	char *text;

	(void)state;
	assert_shows(view_work_of,
		     "{\"State\": \"running\", \"LongestStall\": 260400, "
		     "\"StallPercentile999\": 230100, \"StallTarget\": 50000, "
		     "\"UnavoidableStall\": 110300}",
		     "Stall:        260.4 ms at most, 230.1 ms in 99.9 % of the ranges\n"
		     "Stall target: out of reach (50 ms): flushes and seeks of the disk take 110 "
		     "ms\n");
	text = shown(view_work_of, "{\"State\": \"running\", \"LongestStall\": 40000, "
				   "\"StallTarget\": 50000, \"UnavoidableStall\": 0}");
	assert_null(strstr(text, "out of reach"));
	free(text);
}

static void what_is_over_is_not_told_as_going_on(void **state)
{
	static const char json[] = "{\"Device\": \"/dev/x\", \"State\": \"suspended\", \"Mode\": "
				   "\"reencrypt\", \"RateLimit\": 1024}";
	char *text = shown(view_outdated_work_of, json);

	(void)state;
	if (!strstr(text, "suspended when it last looked") ||
	    !strstr(text, "recryptctl add /dev/x\n") || strstr(text, "Limit:"))
		fail_msg("%s", text);
	free(text);
	text = shown(view_work_of, "{\"State\": \"running\", \"LastRotation\": {\"Outcome\": "
				   "\"running\", \"EndTime\": 0}}");
	assert_null(strstr(text, "Last:"));
	free(text);
	/* Its own options. */
	text = shown(view_work_of,
		     "{\"State\": \"preparing\", \"QueuedRotation\": {\"KeySize\": 64}}");
	assert_null(strstr(text, "Queued:"));
	free(text);
	assert_shows(view_work_of,
		     "{\"State\": \"running\", \"Mode\": \"reencrypt\", \"QueuedRotation\": "
		     "{\"KeySize\": 64}}",
		     "Queued:");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_have_units),
		cmocka_unit_test(text_of_a_header_cannot_move_the_cursor),
		cmocka_unit_test(no_view_passes_on_what_a_terminal_obeys),
		cmocka_unit_test(a_volume_at_work_has_its_figures),
		cmocka_unit_test(all_is_done_while_it_is_finishing),
		cmocka_unit_test(a_volume_is_called_by_its_mapping_or_its_file),
		cmocka_unit_test(what_needs_a_person_has_a_colour),
		cmocka_unit_test(columns_are_chosen_by_name),
		cmocka_unit_test(who_is_made_way_for_and_until_when_is_told),
		cmocka_unit_test(stall_target_out_of_reach_is_told),
		cmocka_unit_test(each_property_with_a_line_is_shown),
		cmocka_unit_test(an_idle_volume_has_none),
		cmocka_unit_test(an_obstacle_is_told),
		cmocka_unit_test(a_key_is_active_since_it_is_in_use),
		cmocka_unit_test(what_is_over_is_not_told_as_going_on),
		cmocka_unit_test(keys_of_another_shape_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
