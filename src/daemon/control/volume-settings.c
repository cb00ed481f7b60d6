/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/control/volume-settings.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/control/core.h"

void settings_free(struct volume_settings *s)
{
	free(s->group);
	s->group = NULL;
}

void volume_apply_rate(struct volume *v)
{
	const struct config *config = v->manager->config;
	const struct record *r = &v->token.record;

	v->settings.rate_limit = r->has_rate && (config->keep_rate || v->settings.rate_set)
					 ? r->rate
					 : config_for_volume(config, v->uuid)->rate_limit;
	volume_forget_deadline(v);
	mark_set(&v->mark, VOLUME_CHANGED_LIMIT);
}

void volume_choose_rate(struct volume *v, bool has_rate)
{
	v->settings.rate_set = has_rate;
	volume_apply_rate(v);
}

void volume_apply_run(struct volume *v)
{
	v->settings.run = volume_run_options(v);
	mark_set(&v->mark, VOLUME_CHANGED_ROTATION);
}

void volume_apply_config(struct volume *v)
{
	const struct volume_config *c = config_for_volume(v->manager->config, v->uuid);
	char *group = strdup(c->group ? c->group : "");

	if (group) {
		free(v->settings.group);
		v->settings.group = group;
	}
	v->settings.stall_target_usec = c->stall_target_usec;
	volume_apply_rate(v);
	volume_apply_run(v);
	keys_ask_again(&v->keys);
	volume_forget_clock(v);
}
