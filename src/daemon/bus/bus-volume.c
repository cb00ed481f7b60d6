/* SPDX-License-Identifier: GPL-3.0-or-later */
/* org.recryptd1.Volume: its vtable, and what is told when a volume changes. */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bus/bus-internal.h"
#include "daemon/bus/bus-options.h"
#include "daemon/state/config.h"
#include "model/properties.h"
#include "util/checked.h"
#include "util/text.h"

static int find_volume(sd_bus *bus, const char *path, const char *interface, void *userdata,
		       void **ret, sd_bus_error *error)
{
	struct bus *b = userdata;

	(void)bus;
	(void)interface;
	(void)error;
	*ret = b->manager ? (void *)volume_at(b, path) : b;
	return *ret ? 1 : 0;
}

/* --- properties --- */

DEFINE_GETTER(get_state)
{
	const struct volume *v = userdata;

	return sd_bus_message_append(reply, "s", volume_state_name(v->status.state));
}

DEFINE_GETTER(get_bytes_left)
{
	const struct volume *v = userdata;

	return sd_bus_message_append(reply, "t",
				     *v->header.parameters.mode ? volume_bytes_left(v) : 0);
}

static const struct politeness *politeness_of(const struct volume *v)
{
	return &config_for_volume(v->manager->config, v->uuid)->polite;
}

DEFINE_GETTER(get_governor)
{
	return sd_bus_message_append(reply, "s",
				     governor_mode_name(politeness_of(userdata)->governor.mode));
}

DEFINE_GETTER(get_rate_min)
{
	return sd_bus_message_append(reply, "t", politeness_of(userdata)->governor.rate_min);
}

DEFINE_GETTER(get_rate_max)
{
	return sd_bus_message_append(reply, "t", politeness_of(userdata)->governor.rate_max);
}

DEFINE_GETTER(get_latency_target)
{
	return sd_bus_message_append(reply, "t", politeness_of(userdata)->governor.latency_target);
}

DEFINE_GETTER(get_windows)
{
	const struct politeness *p = politeness_of(userdata);
	int r = sd_bus_message_open_container(reply, 'a', "s");

	for (size_t i = 0; r >= 0 && i < p->n_windows; i++)
		r = bus_append_text(reply, p->windows[i].text);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* sd-bus has no property of C's type. */
DEFINE_GETTER(get_bool)
{
	return sd_bus_message_append(reply, "b", (int)*(const bool *)userdata);
}

static int append_key(sd_bus_message *m, const struct volume_key *k)
{
	int r;

	r = sd_bus_message_open_container(m, 'r', "sustttt");
	if (r < 0)
		return r;
	r = bus_append_text(m, k->id);
	if (r < 0)
		return r;
	r = sd_bus_message_append(m, "u", k->generation);
	if (r < 0)
		return r;
	r = bus_append_text(m, volume_key_state(k));
	if (r < 0)
		return r;
	r = sd_bus_message_append(m, "tttt", k->registered_usec, k->populated_usec,
				  k->activated_usec, k->retired_usec);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

DEFINE_GETTER(get_keys)
{
	const struct volume *v = userdata;
	int r = sd_bus_message_open_container(reply, 'a', "(sustttt)");

	for (size_t i = 0; r >= 0 && i < v->token.shown.n_keys; i++)
		r = append_key(reply, &v->token.shown.keys[i]);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

DEFINE_GETTER(get_key_provider)
{
	const struct volume *v = userdata;
	const struct provider *p = &config_for_volume(v->manager->config, v->uuid)->provider;

	return sd_bus_message_append(reply, "s", provider_kind_names[p->kind]);
}

DEFINE_GETTER(get_keyslots)
{
	const struct volume *v = userdata;
	int r = sd_bus_message_open_container(reply, 'a', "(us)");

	for (uint32_t id = 0; r >= 0 && id < LUKS_MAX_KEYSLOTS; id++)
		if (v->header.keyslots & UINT32_C(1) << id)
			r = sd_bus_message_append(reply, "(us)", id, v->header.bindings.of[id]);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* The numbers of the bits. */
static int append_bits(sd_bus_message *reply, uint32_t bits)
{
	int r = sd_bus_message_open_container(reply, 'a', "u");

	for (uint32_t n = 0; r >= 0 && n < LUKS_MAX_KEYSLOTS; n++)
		if (bits & UINT32_C(1) << n)
			r = sd_bus_message_append(reply, "u", n);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

DEFINE_GETTER(get_open_keyslots)
{
	const struct volume *v = userdata;

	return append_bits(reply, keys_are_held(&v->keys) ? v->header.open_keyslots : 0);
}

/* Passphrases may have gone since the header was looked at. */
DEFINE_GETTER(get_missing_keyslots)
{
	const struct volume *v = userdata;
	const bool gone = !keys_are_held(&v->keys) && !header_in_reencryption(&v->header);

	return append_bits(reply,
			   v->header.missing_keyslots | (gone ? v->header.open_keyslots : 0));
}

DEFINE_GETTER(get_protected_generation)
{
	const struct volume *v = userdata;

	return sd_bus_message_append(
		reply, "u", volume_keys_protected(v->token.shown.keys, v->token.shown.n_keys));
}

DEFINE_GETTER(get_queued_rotation)
{
	const struct volume *v = userdata;

	return append_rotate_options(reply,
				     v->token.shown.has_queued ? &v->token.shown.queued : NULL);
}

DEFINE_GETTER(get_last_rotation)
{
	const struct volume *v = userdata;
	const struct last_rotation *l = &v->token.shown.last;
	const struct entry entries[] = {
		{"Outcome", "s", l->outcome},
		{"Message", "s", l->message},
		{"StartTime", "t", &l->started_usec},
		{"EndTime", "t", &l->ended_usec},
	};
	int r = sd_bus_message_open_container(reply, 'a', "{sv}");

	if (r < 0)
		return r;
	r = append_entries(reply, entries, *l->outcome ? ARRAY_SIZE(entries) : 0);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

DEFINE_GETTER(get_state_error)
{
	const struct volume *v = userdata;
	struct failure f = {};

	(void)text_copy(f.name, sizeof(f.name), v->status.error);
	return append_error_name(reply, *f.name ? -EIO : 0, &f);
}

DEFINE_GETTER(get_job)
{
	const struct volume *v = userdata;

	return sd_bus_message_append(reply, "o", v->job ? job_path(v->job).text : "/");
}

static int get_configuration(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const struct volume *v = userdata;

	return bus_get_configuration(m, v->manager, v, error);
}

#define ARRAY(field)         get_text_array, offsetof(struct volume, field)
#define POINTER(field)       get_text_pointer, offsetof(struct volume, field)
#define PATH(field)          get_path_pointer, offsetof(struct volume, field)
#define BOOL(field)          get_bool, offsetof(struct volume, field)
#define NUMBER(field)        NULL, offsetof(struct volume, field)
#define GETTER(get)          get, 0
#define VOLUME_CHANGED_NEVER UINT64_C(0)

#define PROPERTY(name, type, group, from, ...)                                                     \
	PROPERTY_OF(name, type, from, PROPERTY_FLAGS(VOLUME_CHANGED_##group)),
#define SWITCH(field, name, ...) PROPERTY(name, "b", ROTATION, BOOL(settings.run.field))

/* clang-format off */
static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS("Rotate", SD_BUS_ARGS("a{sv}", options),
		SD_BUS_RESULT("o", job), volume_on_verb, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Suspend", SD_BUS_ARGS("s", reason, "a{sv}", options),
		SD_BUS_NO_RESULT, volume_on_verb, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Resume", SD_BUS_ARGS("a{sv}", options),
		SD_BUS_NO_RESULT, volume_on_verb, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_ARGS("a{sv}", options),
		SD_BUS_RESULT("o", job), volume_on_verb, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("SetRateLimit", SD_BUS_ARGS("t", rate, "a{sv}", options),
		SD_BUS_NO_RESULT, volume_on_verb, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Unlock", SD_BUS_ARGS("h", secret, "a{sv}", options),
		SD_BUS_NO_RESULT, volume_on_verb, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Lock", SD_BUS_ARGS("a{sv}", options),
		SD_BUS_NO_RESULT, volume_on_verb, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("AcceptState", SD_BUS_ARGS("a{sv}", options),
		SD_BUS_NO_RESULT, volume_on_verb, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Check", SD_BUS_ARGS("a{sv}", options),
		SD_BUS_RESULT("a{sv}", result), volume_on_verb, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("GetConfiguration", SD_BUS_ARGS("a{sv}", options),
		SD_BUS_RESULT("a(ssssu)", settings), get_configuration,
		SD_BUS_VTABLE_UNPRIVILEGED),
	VOLUME_PROPERTIES(PROPERTY)
	RUN_SWITCHES(SWITCH)
	SD_BUS_VTABLE_END,
};
/* clang-format on */

DEFINE_ENUMERATOR(list_volume_paths)
{
	const struct manager *m = ((struct bus *)userdata)->manager;
	struct path_list l = {};

	for (const struct volume *v = m ? m->volumes : NULL; v; v = v->next) {
		const struct object_path path = volume_path(v->uuid);

		path_list_add(&l, &path);
	}
	return path_list_end(&l, ret);
}

int bus_add_volumes(struct bus *b, sd_bus *bus)
{
	int r;

	r = sd_bus_add_fallback_vtable(bus, NULL, BUS_VOLUME_PREFIX, BUS_VOLUME_INTERFACE, vtable,
				       find_volume, b);
	return r < 0 ? r
		     : sd_bus_add_node_enumerator(bus, NULL, BUS_VOLUME_PREFIX, list_volume_paths,
						  b);
}

/* --- changes --- */

#define ANNOUNCED(name, type, group, ...)  {name, VOLUME_CHANGED_##group},
#define SWITCH_ANNOUNCED(field, name, ...) ANNOUNCED(name, "b", ROTATION)

void volume_emit(struct volume *v, uint64_t what)
{
	static const struct {
		const char *name;
		uint64_t group;
	} properties[] = {VOLUME_PROPERTIES(ANNOUNCED) RUN_SWITCHES(SWITCH_ANNOUNCED)};
	const struct volume_slot *slot = v->bus_slot;
	const char *names[ARRAY_SIZE(properties) + 1];
	size_t n = 0;

	assert((what & ~VOLUME_CHANGED_ALL) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(properties); i++)
		if (what & properties[i].group)
			names[n++] = properties[i].name;
	names[n] = NULL;
	if (n > 0)
		told(slot->bus,
		     sd_bus_emit_properties_changed_strv(slot->bus->bus, volume_path(v->uuid).text,
							 BUS_VOLUME_INTERFACE, (void *)names));
}
