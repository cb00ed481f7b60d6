/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The configuration once it is read: what holds for whom, and its end. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/state/config-internal.h"

struct volume_config *config_find_volume(const struct config *c, const char *uuid)
{
	for (size_t i = 0; i < c->n_volumes; i++)
		if (strcmp(c->volumes[i].uuid, uuid) == 0)
			return &c->volumes[i];
	return NULL;
}

const struct volume_config *config_for_volume(const struct config *c, const char *uuid)
{
	const struct volume_config *v = config_find_volume(c, uuid);

	return v ? v : &c->defaults;
}

uint64_t config_rate_limit(const struct config *c)
{
	return c->keep_rate && c->has_kept_rate ? c->kept_rate_limit : c->rate_limit;
}

static void volume_config_clear(struct volume_config *v)
{
	config_rows_clear(volume_config_rows, v);
	politeness_clear(&v->polite);
}

void config_forget_files(struct config *c)
{
	for (size_t i = 0; i < c->n_files; i++)
		free(c->files[i]);
	free(c->files);
	c->files = NULL;
	c->n_files = 0;
}

struct config *config_free(struct config *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < c->n_volumes; i++)
		volume_config_clear(&c->volumes[i]);
	free(c->volumes);
	config_forget_files(c);
	volume_config_clear(&c->defaults);
	free(c->crypttab);
	free(c->on_event);
	free(c);
	return NULL;
}

void config_forget(struct config *c, const char *uuid)
{
	struct volume_config *v = config_find_volume(c, uuid);
	size_t i;

	if (v && !v->remembered)
		(void)config_set_device_id(c, uuid, "");
	if (!v || !v->remembered)
		return;
	i = (size_t)(v - c->volumes);
	assert(i < c->n_volumes);
	volume_config_clear(v);
	memmove(v, v + 1, (c->n_volumes - i - 1) * sizeof(*v));
	c->n_volumes--;
}
