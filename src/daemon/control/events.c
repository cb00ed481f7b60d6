/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/control/events.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* The file and line of this function would say nothing. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/control/core.h"
#include "util/checked.h"
#include "util/log.h"
#include "util/text.h"

#define FIELDS_MAX 12

struct line {
	char name[256], text[1024];
	char fields[FIELDS_MAX][1400]; /* NAME=value */
	struct iovec vectors[FIELDS_MAX];
	int n;
};

static void add_field(struct line *l, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add_field(struct line *l, const char *format, ...)
{
	char *field = l->fields[l->n];
	va_list ap;

	assert(l->n < FIELDS_MAX);
	va_start(ap, format);
	(void)text_vformat(field, sizeof(l->fields[0]), format, ap);
	va_end(ap);
	l->vectors[l->n].iov_base = field;
	l->vectors[l->n].iov_len = strlen(field);
	l->n++;
}

static const struct caller_id *caller_of(const struct volume *v, const struct event *e)
{
	if (e->caller)
		return e->caller;
	return v->job ? &v->job->caller : &caller_nobody;
}

static void add_work(struct line *l, const struct event *e)
{
	if (e->bytes > 0)
		add_field(l, "BYTES=%" PRIu64, e->bytes);
	if (e->usec > 0)
		add_field(l, "DURATION_USEC=%" PRIu64, e->usec);
}

static void add_key(struct line *l, const struct volume *v)
{
	const struct volume_key *key = record_active_key(&v->token.record);

	if (!key)
		return;
	add_field(l, "KEY_ID=%s", key->id);
	add_field(l, "KEY_GENERATION=%" PRIu32, key->generation);
}

static void fill_line(struct line *l, const struct volume *v, const struct event *e)
{
	const struct caller_id *caller = caller_of(v, e);

	if (caller->known) {
		const size_t used = strlen(l->text);

		(void)text_format(l->text + used, sizeof(l->text) - used,
				  "; asked for by uid %" PRIu32, caller->uid);
		add_field(l, "CALLER_UID=%" PRIu32, caller->uid);
	}
	add_field(l, "MESSAGE=%s: %s", l->name, l->text);
	add_field(l, "PRIORITY=%d", e->level);
	if (e->id)
		add_field(l, "MESSAGE_ID=%s", e->id);
	add_field(l, "VOLUME=%s", l->name);
	add_field(l, "VOLUME_UUID=%s", v->uuid);
	add_field(l, "DEVICE=%s", v->place.device);
	add_key(l, v);
	add_work(l, e);
}

/* For OnEvent=; NULL: nobody need act on it. */
static const char *event_name(const struct event *e)
{
	static const struct {
		const char *id, *name;
	} rows[] = {
		{EVENT_ROTATION_FINISHED, "finished"},
		{EVENT_ROTATION_CANCELLED, "cancelled"},
		{EVENT_ROTATION_FAILED, "failed"},
		{EVENT_VOLUME_LOCKED, "locked"},
		{EVENT_HOTZONE_FROZEN_LONG, "attention"},
		{EVENT_DEADLINE_AT_RISK, "deadline-at-risk"},
	};

	if (e->attention)
		return "attention";
	for (size_t i = 0; e->id && i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].id, e->id) == 0)
			return rows[i].name;
	return NULL;
}

static void tell_observer(const struct volume *v, const struct event *e, const char *text)
{
	const struct manager_observer *o = &v->manager->core->observer;
	const struct volume_key *key = record_active_key(&v->token.record);
	const struct volume_event told = {
		.name = event_name(e), .text = text, .generation = key ? key->generation : 0};

	if (told.name && o->volume_event)
		o->volume_event(v, &told, o->userdata);
}

static void write_line(struct line *l, const struct event *e)
{
	if (getenv("JOURNAL_STREAM") && sd_journal_sendv(l->vectors, l->n) >= 0)
		return;
	log_message(e->level, "%s: %s", l->name, l->text);
}

void event_volume(const struct volume *v, const struct event *e, const char *format, ...)
{
	struct line l = {.n = 0};
	va_list ap;

	assert((!e->id || strlen(e->id) == 32) && e->level >= LOG_EMERG && e->level <= LOG_DEBUG);
	va_start(ap, format);
	(void)text_vformat(l.text, sizeof(l.text) - 64, format, ap); /* the caller comes behind */
	va_end(ap);
	text_mask(l.text);
	(void)text_copy(l.name, sizeof(l.name), *v->place.name ? v->place.name : v->place.device);
	text_mask(l.name);
	fill_line(&l, v, e);
	write_line(&l, e);
	tell_observer(v, e, l.text);
}

const char *event_cause(const struct volume *v, const char *text)
{
	const char *const names[] = {v->place.device, v->place.name};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const size_t n = strlen(names[i]);

		if (n > 0 && strncmp(text, names[i], n) == 0 && strncmp(text + n, ": ", 2) == 0)
			return text + n + 2;
	}
	return text;
}
