/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/requirement.h"

#include <stddef.h>
#include <string.h>

#include "luks/fields.h"
#include "luks/validate.h"
#include "util/checked.h"

#define ONLINE_REENCRYPT  "online-reencrypt"
#define OFFLINE_REENCRYPT "offline-reencrypt"

/* By version, less one. */
static const char *const online_reencrypt[] = {
	ONLINE_REENCRYPT,
	ONLINE_REENCRYPT "-v2",
	ONLINE_REENCRYPT "-v3",
};

static json_object *mandatory_array(json_object *json)
{
	json_object *config = field_get(json, "config", json_type_object);

	return field_get(field_get(config, "requirements", json_type_object), "mandatory",
			 json_type_array);
}

static size_t count(json_object *array)
{
	return array ? json_object_array_length(array) : 0;
}

static const char *item(json_object *array, size_t i)
{
	return json_object_get_string(json_object_array_get_idx(array, i));
}

bool is_online_reencrypt(const char *requirement)
{
	const char *version = requirement + strlen(ONLINE_REENCRYPT);

	if (strncmp(requirement, ONLINE_REENCRYPT, strlen(ONLINE_REENCRYPT)) != 0)
		return false;
	if (!*version)
		return true;
	return strncmp(version, "-v", 2) == 0 && version[2] &&
	       strspn(version + 2, "0123456789") == strlen(version + 2);
}

static unsigned version_of(const char *requirement)
{
	for (unsigned i = 0; i < ARRAY_SIZE(online_reencrypt); i++)
		if (strcmp(requirement, online_reencrypt[i]) == 0)
			return i + 1;
	return 0;
}

bool requirement_any(json_object *json)
{
	return count(mandatory_array(json)) > 0;
}

bool has_online_reencrypt(json_object *json)
{
	json_object *array = mandatory_array(json);

	for (size_t i = 0; i < count(array); i++)
		if (is_online_reencrypt(item(array, i)))
			return true;
	return false;
}

unsigned requirement_version(json_object *json)
{
	json_object *array = mandatory_array(json);
	unsigned version = 0;

	for (size_t i = 0; i < count(array); i++)
		version = MAX(version, version_of(item(array, i)));
	return version;
}

bool has_offline_reencrypt(json_object *json)
{
	json_object *array = mandatory_array(json);

	for (size_t i = 0; i < count(array); i++)
		if (strcmp(item(array, i), OFFLINE_REENCRYPT) == 0)
			return true;
	return false;
}

const char *luks_unknown_requirement(json_object *json)
{
	json_object *array = mandatory_array(json);

	for (size_t i = 0; i < count(array); i++)
		if (version_of(item(array, i)) == 0 &&
		    strcmp(item(array, i), OFFLINE_REENCRYPT) != 0)
			return item(array, i);
	return NULL;
}

void requirement_drop_reencrypt(json_object *json)
{
	json_object *config = field_get(json, "config", json_type_object);
	json_object *requirements = field_get(config, "requirements", json_type_object);
	json_object *array = mandatory_array(json);

	for (size_t i = count(array); i-- > 0;)
		if (is_online_reencrypt(item(array, i)))
			(void)json_object_array_del_idx(array, i, 1);
	if (count(array) == 0)
		json_object_object_del(requirements, "mandatory");
	if (json_object_object_length(requirements) == 0)
		json_object_object_del(config, "requirements");
}
