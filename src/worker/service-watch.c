/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/service-watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "luks/look.h"
#include "util/checked.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/io.h"
#include "util/log.h"
#include "util/text.h"

/* How much is read to tell the speed, and for how long. */
#define ESTIMATE_PIECE (UINT64_C(1) << 20)
#define ESTIMATE_MAX   (UINT64_C(64) << 20)
#define ESTIMATE_USEC  UINT64_C(500000)

static bool stop_wanted(void *arg)
{
	struct watch *w = arg;

	return control_wants_stop(w->v->control);
}

static void on_progress(void *arg, const struct engine_progress *p)
{
	struct watch *w = arg;

	control_set_progress(w->v->control, true, p);
}

/*
 * The rate outlives a run, with what is not paid yet. The next run may begin anywhere: behind where
 * the last one ended, which was turned around, or at the front, in another rotation.
 */
static uint64_t to_pay_for(struct watch *w, uint64_t converted)
{
	if (!w->counts) {
		w->counts = true;
		w->start = converted;
		w->paid = w->v->control->rate.counted;
	}
	return w->paid + (converted - w->start);
}

static bool pause_due(void *arg, uint64_t converted)
{
	struct watch *w = arg;
	struct control *c = w->v->control;

	return control_pause_wanted(c) ||
	       rate_is_due(&c->rate, to_pay_for(w, converted), now_usec());
}

static bool interrupted(void *arg)
{
	struct control *c = arg;

	return control_wants_stop(c) || control_pause_wanted(c);
}

static void report_record(struct service_volume *v, uint64_t serial, int error,
			  const struct luks_reason *why)
{
	struct report *r = report_new(REPORT_RECORD);

	if (!r) {
		log_error_errno(-ENOMEM, "no answer can be given");
		return;
	}
	r->error = error;
	r->record_serial = serial;
	if (error < 0)
		(void)text_format(r->message, sizeof(r->message),
				  "%s: the record cannot be put into the header: %s",
				  v->base->target.device,
				  *why->text ? why->text : error_text(error));
	control_report(v->control, r);
}

static int store_record(struct service_volume *v, struct luks_store *store, const char *text,
			struct luks_reason *why)
{
	int r;

	record_keys_refresh(&v->record_keys, &v->keys, store->header, store->reenc);
	r = luks_store_set_record(store, text, &v->record_keys, why);
	if (r < 0)
		return r;
	r = luks_record_get(store->header, v->look.record);
	if (r < 0)
		return r;
	text_make_valid(v->look.record);
	v->look.trust = luks_record_check(store->header, &v->record_keys);
	control_set_look(v->control, &v->look);
	return 0;
}

static void set_record(struct service_volume *v, struct luks_store *store, const char *text,
		       uint64_t serial)
{
	struct luks_reason why = {};
	int r = store_record(v, store, text, &why);

	report_record(v, serial, r, &why);
}

static void tell_of_governor(struct watch *w, const struct governor_config *config)
{
	const bool steps_back = governor_steps_back(&w->governed.governor, config);

	if (steps_back != w->steps_back)
		log_info("%s: %s", w->path, w->governed.reason);
	w->steps_back = steps_back;
}

static void on_end(void *arg)
{
	struct watch *w = arg;

	if (w->ended)
		w->ended(w->ended_arg);
}

/* A header that cannot be written stops the conversion with its next commit, if not here. */
static int make_pause(void *arg, struct luks_store *store, uint64_t converted,
		      struct engine_limits *limits)
{
	struct watch *w = arg;
	struct control *c = w->v->control;
	struct governor_config governor;
	struct worker_limits wanted;
	uint64_t governed, by_rate;

	do {
		uint64_t serial;
		_cleanup_free_ char *record = control_take_record(c, &serial);

		if (record)
			set_record(w->v, store, record, serial);
		wanted = control_limits(c);
		governor = control_governor(c);
		governed = governed_rate(&w->governed, &governor, converted);
		control_set_governed(c, governed, w->governed.reason);
		tell_of_governor(w, &governor);
		rate_set(&c->rate, rate_lower(wanted.rate, governed));
		rate_wait(&c->rate, to_pay_for(w, converted), interrupted, c);
	} while (!control_wants_stop(c) && control_pause_wanted(c));
	by_rate = governed_hotzone(governed, &c->rate);
	limits->hotzone_size = rate_lower(by_rate, wanted.hotzone_max);
	limits->stall_target = wanted.stall_target_usec;
	return 0;
}

void watch_init(struct watch *w, struct service_volume *v, const struct work_volume *volume)
{
	const struct luks_reenc *reenc = &volume->reenc;
	const struct engine_progress start = {
		.position = {reenc->boundary, reenc->hot_size},
		.total = reenc->data_size,
		.converted = reenc->direction == LUKS_FORWARD ? reenc->boundary
							      : reenc->data_size - reenc->boundary,
	};

	*w = (struct watch){
		.v = v,
		.watch =
			{
				.stop = stop_wanted,
				.progress = on_progress,
				.ended = on_end,
				.pause_due = pause_due,
				.pause = make_pause,
				.arg = w,
			},
		.governed = {.name = volume->name, .load = LOAD_NONE},
		.path = volume->data_path,
	};
	control_set_governed(v->control, 0, "");
	control_set_progress(v->control, true, &start);
}

void watch_end(struct watch *w)
{
	load_close(&w->governed.load);
	control_set_governed(w->v->control, 0, "");
	control_set_progress(w->v->control, false, NULL);
}

static int put_record(struct service_volume *v, const char *text, uint64_t serial)
{
	struct work_volume volume;
	struct luks_store store;
	int r = volume_open(v->base, &volume);

	if (r < 0)
		return r;
	r = volume_take_lock(&volume);
	if (r == 0) {
		luks_store_init(&store, volume.meta, volume.header, &volume.reenc, volume.meta_fd,
				volume.header_on_data);
		set_record(v, &store, text, serial);
	}
	volume_close(&volume);
	return r;
}

void watch_set_record_at_rest(struct service_volume *v, const char *text, uint64_t serial)
{
	struct luks_reason why = {};
	char logged[sizeof(why.text)];
	int r;

	log_capture(logged, sizeof(logged));
	r = put_record(v, text, serial);
	log_capture(NULL, 0);
	if (r < 0) {
		memcpy(why.text, logged, sizeof(why.text));
		report_record(v, serial, r, &why);
	}
}

/* Bytes per second at which the start of the data can be read, for half a second at most. */
static uint64_t read_speed(const struct work_volume *volume)
{
	const size_t piece = ESTIMATE_PIECE;
	const struct luks_reenc *r = &volume->reenc;
	const uint64_t begin = now_usec();
	uint64_t bytes = 0, usec = 0;
	_cleanup_free_ void *buffer = NULL;

	if (posix_memalign(&buffer, 4096, piece) != 0)
		return 0;
	while (bytes + piece <= MIN(r->data_size, ESTIMATE_MAX) && usec < ESTIMATE_USEC) {
		if (pread_full(volume->data.fd, buffer, piece, r->data_offset + bytes) < 0)
			return 0;
		bytes += piece;
		usec = now_usec() - begin;
	}
	return usec > 0 ? bytes * 1000000 / usec : 0;
}

uint64_t watch_estimate(struct service_volume *v, const struct work_volume *volume)
{
	const uint64_t limit = control_limits(v->control).rate;
	uint64_t speed;

	if (volume->data.fd < 0)
		return 0;
	speed = read_speed(volume) / 2;
	if (speed > 0 && limit > 0)
		speed = MIN(speed, limit);
	if (speed == 0)
		return 0;
	return volume->reenc.data_size / speed * 1000000 +
	       volume->reenc.data_size % speed * 1000000 / speed;
}
