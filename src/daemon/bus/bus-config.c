/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GetConfiguration(): which settings hold, and which lines say so. A read, so nobody is asked. */
#include <errno.h>
#include <string.h>

#include "daemon/bus/bus-arguments.h"
#include "daemon/bus/bus-call.h"
#include "daemon/bus/bus-internal.h"
#include "daemon/bus/bus-options.h"
#include "daemon/state/config-internal.h"

/* The rate that was asked for at run time is instead of the configured one. */
struct asked_rate {
	bool given;
	const char *section; /* that it is instead of */
	uint64_t rate;
};

struct answer {
	sd_bus_message *reply;
	struct asked_rate asked;
};

static int append_line(sd_bus_message *reply, const struct config_line *l)
{
	int r = sd_bus_message_open_container(reply, 'r', "ssssu");

	if (r < 0)
		return r;
	r = sd_bus_message_append(reply, "ss", l->section, l->name);
	if (r < 0)
		return r;
	r = bus_append_text(reply, l->value);
	if (r < 0)
		return r;
	r = bus_append_path(reply, l->file ? l->file : "");
	if (r < 0)
		return r;
	r = sd_bus_message_append(reply, "u", l->line);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int on_line(const struct config_line *l, void *userdata)
{
	const struct answer *a = userdata;
	struct config_line asked = {.section = l->section, .name = l->name, .file = "bus"};
	char rate[CONFIG_AMOUNT_TEXT];

	if (!a->asked.given || strcmp(l->section, a->asked.section) != 0 ||
	    strcmp(l->name, "RateLimit") != 0)
		return append_line(a->reply, l);
	config_amount_text(CONFIG_RATE, a->asked.rate, rate);
	asked.value = rate;
	return append_line(a->reply, &asked);
}

static struct asked_rate rate_of_volume(const struct volume *v)
{
	return (struct asked_rate){
		.given = v->token.record.has_rate &&
			 (v->manager->config->keep_rate || v->settings.rate_set),
		.section = CONFIG_VOLUME,
		.rate = v->settings.rate_limit,
	};
}

static struct asked_rate rate_of_host(const struct manager *m)
{
	return (struct asked_rate){.given = m->rate_limit != m->config->rate_limit,
				   .section = CONFIG_MANAGER,
				   .rate = m->rate_limit};
}

int bus_get_configuration(sd_bus_message *m, struct manager *manager, const struct volume *v,
			  sd_bus_error *error)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	struct answer a = {.asked = v ? rate_of_volume(v) : rate_of_host(manager)};
	struct failure f = {};
	int r = read_options(m, no_settings, NULL, &f);

	if (r < 0)
		return set_failure(error, r, &f);
	r = sd_bus_message_new_method_return(m, &reply);
	if (r < 0)
		return r;
	r = sd_bus_message_open_container(reply, 'a', "(ssssu)");
	if (r < 0)
		return r;
	a.reply = reply;
	r = config_show(manager->config, v ? v->uuid : NULL, on_line, &a);
	if (r < 0)
		return r;
	r = sd_bus_message_close_container(reply);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}
