/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recryptctl config: which settings hold, and which lines say so. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/bus-json.h"
#include "ctl/verbs.h"
#include "util/checked.h"
#include "util/log.h"
#include "util/text.h"

/* The members of an entry of GetConfiguration(), in their order. */
static const char *const members[] = {"Section", "Name", "Value", "File", "Line"};

/* Entries are arrays in JSON that is made of messages; people write programs by names. */
static int name_members(json_object *entry, json_object **ret)
{
	json_object *o = json_object_new_object();

	if (!o)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (json_object_object_add(o, members[i],
					   json_object_get(json_object_array_get_idx(entry, i))) <
		    0) {
			json_object_put(o);
			return -ENOMEM;
		}
	*ret = o;
	return 0;
}

static int name_all(json_object *entries, json_object **ret)
{
	json_object *all = json_object_new_array(), *o;

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < json_object_array_length(entries); i++) {
		int r = name_members(json_object_array_get_idx(entries, i), &o);

		if (r == 0 && json_object_array_add(all, o) < 0) {
			json_object_put(o);
			r = -ENOMEM;
		}
		if (r < 0) {
			json_object_put(all);
			return r;
		}
	}
	*ret = all;
	return 0;
}

static void print_origin(json_object *o, const char *file)
{
	if (!*file)
		printf("default\n");
	else if (strcmp(file, "bus") == 0)
		printf("recryptctl rate\n");
	else
		printf("%s:%" PRIu64 "\n", file, json_number(o, "Line"));
}

static int print_setting(json_object *o)
{
	_cleanup_free_ char *name = text_masked(json_text(o, "Name")),
			    *value = text_masked(json_text(o, "Value")),
			    *file = text_masked(json_text(o, "File"));
	int n;

	if (!name || !value || !file)
		return -ENOMEM;
	n = printf("%s=%s", name, value);
	printf("%*s", n < 40 ? 40 - n : 1, "");
	print_origin(o, file);
	return 0;
}

/* As a file would have it, with the lines that say so. */
static int print_settings(json_object *all)
{
	const char *section = "";

	for (size_t i = 0; i < json_object_array_length(all); i++) {
		json_object *o = json_object_array_get_idx(all, i);
		const char *its = json_text(o, "Section");

		if (strcmp(its, section) != 0)
			printf("%s[%s]\n", *section ? "\n" : "", its);
		section = its;
		if (print_setting(o) < 0)
			return log_error_errno(-ENOMEM, "cannot write to standard output");
	}
	return fflush(stdout) == 0 && !ferror(stdout)
		       ? 0
		       : log_error_errno(-(errno ?: EIO), "cannot write to standard output");
}

static int read_configuration(const struct options *o, json_object **ret)
{
	_cleanup_(client_close) struct client c = {};
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	_cleanup_free_ char *path = NULL;
	json_object *entries;
	int r = open_client(o, &c);

	if (r < 0)
		return r;
	r = o->target.device ? find_volume(&c, o, o->target.device, &path) : 0;
	if (r < 0)
		return r;
	r = client_call(&c, path ?: BUS_PATH, path ? BUS_VOLUME_INTERFACE : BUS_MANAGER_INTERFACE,
			"GetConfiguration", &reply, "a{sv}", 0);
	if (r < 0)
		return r;
	r = json_from_message(reply, &entries);
	if (r < 0)
		return log_error_errno(r, "the answer of recryptd cannot be read");
	r = name_all(entries, ret);
	json_object_put(entries);
	return r < 0 ? log_error_errno(r, "the answer of recryptd cannot be read") : 0;
}

int verb_config(const struct options *o)
{
	json_object *all = NULL;
	int r = read_configuration(o, &all);

	if (r < 0)
		return r;
	r = o->output.json ? print_json(all, o->output.json, stdout) : print_settings(all);
	json_object_put(all);
	return r;
}
