/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recryptctl history: the rotations that have ended on the host. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/bus-json.h"
#include "ctl/verbs.h"
#include "ctl/volume-view.h"
#include "util/log.h"
#include "util/path-text.h"
#include "util/text.h"

#define NOBODY UINT32_MAX

/* What the entries of the volume are found by: its UUID where the daemon knows it. NULL: memory. */
static char *which(struct client *c, const struct options *o)
{
	_cleanup_free_ char *path = NULL;
	json_object *volume;
	char *text;
	int r;

	c->log_off = true; /* it may have gone since */
	r = find_volume(c, o, o->target.device, &path);
	if (r == 0)
		r = client_properties(c, path, BUS_VOLUME_INTERFACE, &volume);
	c->log_off = false;
	if (r < 0)
		return path_to_text(o->target.device);
	text = strdup(json_text(volume, "UUID"));
	json_object_put(volume);
	return text;
}

static int read_history(struct client *c, const struct options *o, json_object **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	_cleanup_free_ char *volume = NULL;
	int r;

	if (!o->target.device) {
		r = client_call(c, BUS_PATH, BUS_MANAGER_INTERFACE, "History", &reply, "a{sv}", 0);
	} else {
		volume = which(c, o);
		if (!volume)
			return -ENOMEM;
		r = client_call(c, BUS_PATH, BUS_MANAGER_INTERFACE, "History", &reply, "a{sv}", 1,
				"Volume", "s", volume);
	}
	return r < 0 ? r : json_from_message(reply, ret);
}

static void view_caller(json_object *e, char *text)
{
	const uint64_t uid = json_number(e, "CallerUid");

	if (uid == NOBODY)
		(void)snprintf(text, VIEW_TEXT, "-");
	else
		(void)snprintf(text, VIEW_TEXT, "%" PRIu64, uid);
}

/* As @view shows it, or "-" for 0. */
static const char *view_or_dash(uint64_t n, void (*view)(uint64_t, char *), char *text)
{
	if (n > 0)
		view(n, text);
	else
		(void)snprintf(text, VIEW_TEXT, "-");
	return text;
}

static int view_entry(json_object *e, FILE *out)
{
	const char *name = *json_text(e, "Name") ? json_text(e, "Name") : json_text(e, "Device");
	_cleanup_free_ char *volume = text_masked(name),
			    *outcome = text_masked(json_text(e, "Outcome")),
			    *message = text_masked(json_text(e, "Message"));
	char ended[VIEW_TEXT], bytes[VIEW_TEXT], time[VIEW_TEXT], rate[VIEW_TEXT], uid[VIEW_TEXT];

	if (!volume || !outcome || !message)
		return -ENOMEM;
	view_time(json_number(e, "EndTime"), ended);
	view_caller(e, uid);
	fprintf(out, "%-19s  %-10s %10s %9s %12s %10" PRIu64 " %6s  %s%s%s\n", ended, outcome,
		view_or_dash(json_number(e, "Bytes"), view_bytes, bytes),
		view_or_dash(json_number(e, "Duration"), view_duration, time),
		view_or_dash(json_number(e, "Rate"), view_rate, rate),
		json_number(e, "KeyGeneration"), uid, volume, *message ? ": " : "", message);
	return 0;
}

static int view_history(json_object *entries, FILE *out)
{
	fprintf(out, "%-19s  %-10s %10s %9s %12s %10s %6s  %s\n", "ENDED", "OUTCOME", "SIZE",
		"TIME", "RATE", "GENERATION", "UID", "VOLUME");
	for (size_t i = 0; i < json_object_array_length(entries); i++) {
		int r = view_entry(json_object_array_get_idx(entries, i), out);

		if (r < 0)
			return r;
	}
	return fflush(out) == 0 ? 0 : -errno;
}

int verb_history(const struct options *o)
{
	_cleanup_(client_close) struct client c = {};
	json_object *entries;
	int r = open_client(o, &c);

	if (r < 0)
		return r;
	r = read_history(&c, o, &entries);
	if (r < 0)
		return r;
	if (o->output.json) {
		r = print_json(entries, o->output.json, stdout);
	} else {
		r = view_history(entries, stdout);
		if (r < 0)
			log_error_errno(r, "cannot write to standard output");
	}
	json_object_put(entries);
	return r;
}
