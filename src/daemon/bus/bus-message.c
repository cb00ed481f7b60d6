/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing values into messages: texts, entries of dictionaries. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bus/bus-internal.h"
#include "proto/error-name.h"
#include "util/path-text.h"
#include "proto/service-bus.h"
#include "util/log.h"

int entry_open(sd_bus_message *m, const char *key, const char *type)
{
	int r;

	r = sd_bus_message_open_container(m, 'e', "sv");
	if (r < 0)
		return r;
	r = sd_bus_message_append_basic(m, 's', key);
	return r < 0 ? r : sd_bus_message_open_container(m, 'v', type);
}

int entry_close(sd_bus_message *m)
{
	int r = sd_bus_message_close_container(m);

	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_entry(sd_bus_message *m, const struct entry *e)
{
	int r;

	assert(e->type[0] && !e->type[1]);
	r = entry_open(m, e->key, e->type);
	if (r < 0)
		return r;
	r = *e->type == 's' ? bus_append_text(m, e->value)
			    : sd_bus_message_append_basic(m, *e->type, e->value);
	return r < 0 ? r : entry_close(m);
}

int append_entries(sd_bus_message *m, const struct entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = append_entry(m, &entries[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

int append_error_name(sd_bus_message *m, int error, const struct failure *f)
{
	char name[sizeof(BUS_ERROR_PREFIX) + sizeof(f->name)] = "";

	assert(error <= 0);
	if (error)
		(void)snprintf(name, sizeof(name), BUS_ERROR_PREFIX "%s",
			       *f->name ? f->name : error_name(error));
	return bus_append_text(m, name);
}

int get_text_pointer(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	(void)bus;
	(void)path;
	(void)interface;
	(void)property;
	(void)error;
	return bus_append_text(reply, *(char **)userdata);
}

int bus_append_path(sd_bus_message *m, const char *path)
{
	_cleanup_free_ char *text = path_to_text(path ?: "");

	return text ? bus_append_text(m, text) : -ENOMEM;
}

int get_path_pointer(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	(void)bus;
	(void)path;
	(void)interface;
	(void)property;
	(void)error;
	return bus_append_path(reply, *(char **)userdata);
}

int get_text_array(sd_bus *bus, const char *path, const char *interface, const char *property,
		   sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	(void)bus;
	(void)path;
	(void)interface;
	(void)property;
	(void)error;
	return bus_append_text(reply, userdata);
}

void path_list_add(struct path_list *l, const struct object_path *path)
{
	char **grown = reallocarray(l->paths, l->n + 2, sizeof(*grown));

	if (grown) {
		l->paths = grown;
		grown[l->n] = strdup(path->text);
		grown[l->n + 1] = NULL;
	}
	if (!grown || !grown[l->n])
		l->error = -ENOMEM;
	else
		l->n++;
}

int path_list_end(struct path_list *l, char ***ret)
{
	if (l->error == 0) {
		*ret = l->paths;
		return 0;
	}
	for (size_t i = 0; i < l->n; i++)
		free(l->paths[i]);
	free((void *)l->paths);
	return l->error;
}

void told(struct bus *b, int error)
{
	if (error < 0 && error != -ENOTCONN && b->bus)
		log_warning_errno(error, "a signal cannot be sent on the bus");
}
