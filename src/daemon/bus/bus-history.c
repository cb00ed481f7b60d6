/* SPDX-License-Identifier: GPL-3.0-or-later */
/* History() of the manager. */
#include <stddef.h>
#include <string.h>

#include "daemon/bus/bus-call.h"
#include "daemon/bus/bus-internal.h"
#include "daemon/bus/bus-options.h"
#include "util/checked.h"

struct wanted {
	const char *volume; /* NULL: all */
	uint32_t limit;     /* 0: none */
	char uuid[37];      /* of a known volume of that name; "": none is known */
};

static int read_wanted(const struct bus *b, sd_bus_message *m, struct wanted *w, struct failure *f)
{
	static const struct setting keys[] = {
		{.name = "Volume",
		 .kind = SETTING_TEXT,
		 .where = offsetof(struct wanted, volume),
		 .size = ARGUMENTS_TEXT_MAX},
		{.name = "Limit", .kind = SETTING_U32, .where = offsetof(struct wanted, limit)},
		{},
	};
	struct volume *v;
	int r;

	*w = (struct wanted){};
	r = read_options(m, keys, w, f);
	if (r < 0)
		return r;
	if (w->volume && manager_find_volume(b->manager, w->volume, f, &v) == 0)
		memcpy(w->uuid, v->uuid, sizeof(w->uuid));
	return 0;
}

/* A volume that is no longer known is called as it was. */
static bool is_wanted(const struct wanted *w, const struct history_entry *e)
{
	if (!w->volume)
		return true;
	if (*w->uuid)
		return strcmp(e->uuid, w->uuid) == 0;
	return strcmp(e->uuid, w->volume) == 0 || strcmp(e->name, w->volume) == 0 ||
	       strcmp(e->device, w->volume) == 0;
}

/* Where the last ones begin that there may be. */
static size_t first_of(const struct history *h, const struct wanted *w)
{
	size_t i = h->n, n = 0;

	while (i > 0 && (w->limit == 0 || n < w->limit))
		n += is_wanted(w, &h->entries[--i]);
	return i;
}

static int append_entry(sd_bus_message *m, const struct history_entry *e)
{
	const uint32_t uid = e->caller.known ? e->caller.uid : CALLER_NOBODY;
	const uint64_t rate = history_rate(e);
	const struct entry entries[] = {
		{"Volume", "s", e->uuid},
		{"Name", "s", e->name},
		{"Device", "s", e->device},
		{"Outcome", "s", e->outcome},
		{"Message", "s", e->message},
		{"KeyId", "s", e->key_id},
		{"KeyGeneration", "u", &e->generation},
		{"StartTime", "t", &e->started_usec},
		{"EndTime", "t", &e->ended_usec},
		{"Duration", "t", &e->usec},
		{"Bytes", "t", &e->bytes},
		{"Rate", "t", &rate},
		{"LongestStall", "t", &e->stall_usec},
		{"CallerUid", "u", &uid},
	};
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r < 0)
		return r;
	r = append_entries(m, entries, ARRAY_SIZE(entries));
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_history(sd_bus_message *m, const struct history *h, const struct wanted *w)
{
	int r = sd_bus_message_open_container(m, 'a', "a{sv}");

	for (size_t i = first_of(h, w); r >= 0 && i < h->n; i++)
		if (is_wanted(w, &h->entries[i]))
			r = append_entry(m, &h->entries[i]);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int manager_on_history(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	const struct bus *b = userdata;
	struct failure f = {};
	struct wanted w;
	int r = read_wanted(b, m, &w, &f);

	if (r < 0)
		return set_failure(error, r, &f);
	r = sd_bus_message_new_method_return(m, &reply);
	if (r < 0)
		return r;
	r = append_history(reply, &b->manager->history, &w);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}
