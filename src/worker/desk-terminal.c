/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/desk-terminal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/lost-keyslots.h"
#include "cli/passphrase.h"
#include "cli/progress.h"
#include "util/clock.h"
#include "util/log.h"
#include "worker/governed.h"
#include "worker/no-resilience.h"

/* All that one run owns. */
struct terminal {
	const struct options *o;
	const volatile sig_atomic_t *stop;
	struct work work;
	struct passphrase_source source;
	struct luks_bindings bindings; /* named in its prompts */
	struct progress progress;
	struct conversion_watch watch, quiet;       /* quiet: while a hotzone is recovered */
	struct secret *volume_key, *new_volume_key; /* from files */
	/* With watch.pause: */
	struct rate rate;
	struct governor_config governor;
	struct governed governed;
	bool steps_back; /* what was said of it last */
};

/* --- watching a conversion --- */

static bool stop_wanted(void *arg)
{
	const struct terminal *t = arg;

	return *t->stop;
}

static void on_progress(void *arg, const struct engine_progress *p)
{
	struct terminal *t = arg;

	progress_update(&t->progress, p->converted, now_usec());
}

static bool pause_due(void *arg, uint64_t converted)
{
	struct terminal *t = arg;

	return rate_is_due(&t->rate, converted, now_usec());
}

static void tell_of_governor(struct terminal *t)
{
	const bool steps_back = governor_steps_back(&t->governed.governor, &t->governor);

	if (steps_back != t->steps_back)
		log_info("%s: %s", t->work.steps.volume.data_path, t->governed.reason);
	t->steps_back = steps_back;
}

static int make_pause(void *arg, struct luks_store *store, uint64_t converted,
		      struct engine_limits *limits)
{
	struct terminal *t = arg;
	const uint64_t governed = governed_rate(&t->governed, &t->governor, converted);

	(void)store;
	tell_of_governor(t);
	rate_set(&t->rate, rate_lower(t->o->pace.rate, governed));
	rate_wait(&t->rate, converted, stop_wanted, t);
	limits->hotzone_size = governed_hotzone(governed, &t->rate);
	return 0;
}

static void on_end(void *arg)
{
	struct terminal *t = arg;

	progress_break(&t->progress);
}

/* Without any limit nothing need pause. */
static int set_limits(struct terminal *t)
{
	const struct pace_options *p = &t->o->pace;
	int r;

	if (p->governor && governor_mode_parse(p->governor, &t->governor.mode) < 0)
		return -EINVAL;
	t->governor.rate_min = p->rate_min ?: GOVERNOR_DEFAULT_RATE_MIN;
	t->governor.rate_max = p->rate_max;
	t->governor.latency_target = p->latency_target_ms > 0
					     ? p->latency_target_ms * UINT64_C(1000)
					     : GOVERNOR_DEFAULT_LATENCY_TARGET;
	if (p->rate == 0 && t->governor.mode == GOVERNOR_NONE)
		return 0;
	r = rate_init(&t->rate, p->rate);
	if (r < 0)
		return log_error_errno(r, "cannot set up the limit of the rate");
	t->watch.pause_due = pause_due;
	t->watch.pause = make_pause;
	return 0;
}

static struct progress progress_of(const struct terminal *t)
{
	return (struct progress){
		.out = stdout,
		.device = t->work.steps.volume.data_path,
		.size = t->work.steps.volume.reenc.data_size,
		.frequency = t->o->output.progress_frequency,
		.json = t->o->output.progress_json,
		.terminal = isatty(STDOUT_FILENO),
	};
}

static void terminal_watch(struct work *w, bool recover_only)
{
	struct terminal *t = w->arg;

	assert(w == &t->work);
	w->steps.watch = recover_only ? &t->quiet : &t->watch;
	if (recover_only)
		return;
	t->progress = progress_of(t);
	t->governed.name = w->steps.volume.name;
}

/* A stop is no success: a script must not take it for the end. */
static int terminal_unwatch(struct work *w, int error, enum engine_outcome outcome)
{
	const struct terminal *t = w->arg;
	const struct work_volume *v = &w->steps.volume;
	const bool converted = w->steps.watch == &t->watch;

	w->steps.watch = NULL;
	if (error < 0 || !converted || outcome != ENGINE_STOPPED)
		return error;
	log_notice("%s: interrupted, with a clean header; resume with: recryptctl reencrypt "
		   "--resume-only %s",
		   v->data_path, v->arguments);
	return -EINTR;
}

/* --- keys --- */

static int read_key_files(struct terminal *t)
{
	const struct key_options *k = &t->o->keys;
	int r = volume_key_read(k->volume_key_file, k->old_key_size, k->volume_key_keyring,
				&t->volume_key);

	if (r < 0)
		return r;
	r = volume_key_read(k->new_volume_key_file, t->o->rotation.key_size,
			    k->new_volume_key_keyring, &t->new_volume_key);
	if (r < 0)
		return r;
	t->work.steps.volume_key = t->volume_key;
	t->work.steps.new_volume_key = t->new_volume_key;
	return 0;
}

static int terminal_bring_keys(struct work *w)
{
	struct terminal *t = w->arg;
	const struct key_options *k = &t->o->keys;
	int r;

	luks_bindings_read(w->steps.volume.header->json, &t->bindings);
	t->source = (struct passphrase_source){
		.bindings = &t->bindings,
		.key_file = k->key_file,
		.key_description = k->key_description,
		.keyfile_offset = k->keyfile_offset,
		.keyfile_size = k->keyfile_size,
		.device = w->steps.volume.data_path,
		.timeout = k->timeout,
	};
	w->steps.tokens = !k->key_file || options_choose_tokens(t->o);
	w->steps.passphrases = (struct luks_passphrases){
		.ask = passphrase_ask,
		.arg = &t->source,
		.empty_gives_up = passphrase_is_typed(&t->source),
		.tries = k->tries,
	};
	r = set_limits(t);
	if (r < 0)
		return r;
	r = read_key_files(t);
	return r < 0 ? r : steps_wipe_freed(&w->steps);
}

/* A person can be asked. */
static int terminal_check_keys(struct work *w)
{
	(void)w;
	return 0;
}

/* Something that may open the volume, or somebody who can be asked. */
static bool terminal_may_verify(struct work *w)
{
	struct terminal *t = w->arg;

	return t->volume_key || t->new_volume_key || options_choose_tokens(t->o) ||
	       passphrase_is_given(&t->source);
}

/* The one job has them in its steps. */
static int terminal_keep_keys(struct work *w)
{
	(void)w;
	return 0;
}

/* --- who agrees --- */

static int terminal_check_position(struct work *w)
{
	return no_resilience_check(&w->steps.volume, w->options);
}

static int terminal_confirm_position(struct work *w)
{
	return no_resilience_confirm(&w->steps.volume, w->options);
}

static int confirm_lost_keyslots(const struct terminal *t, const struct luks_begin_plan *plan)
{
	const char *path = t->work.steps.volume.data_path;
	uint32_t lost = 0;

	for (size_t i = 0; i < plan->n_slots; i++)
		if (!plan->slots[i].kept)
			lost |= UINT32_C(1) << plan->slots[i].keyslot;
	if (lost == 0)
		return 0;
	lost_keyslots_tell(path, &t->bindings, lost);
	return t->o->batch_mode || t->o->keys.no_keyslots
		       ? 0
		       : lost_keyslots_confirm(path, lost, "--batch-mode");
}

static int terminal_agree(struct work *w, const struct luks_begin_plan *plan)
{
	const struct terminal *t = w->arg;
	int r = confirm_lost_keyslots(t, plan);

	if (r < 0 || !*t->stop)
		return r;
	return log_refusal(-EINTR, "%s: interrupted; nothing was changed",
			   w->steps.volume.data_path);
}

static const struct desk terminal_desk = {
	.speaks = true,
	.bring_keys = terminal_bring_keys,
	.check_keys = terminal_check_keys,
	.may_verify = terminal_may_verify,
	.keep_keys = terminal_keep_keys,
	.check_position = terminal_check_position,
	.confirm_position = terminal_confirm_position,
	.agree = terminal_agree,
	.watch = terminal_watch,
	.unwatch = terminal_unwatch,
};

static void terminal_close(struct terminal *t)
{
	work_close(&t->work);
	if (t->watch.pause)
		rate_destroy(&t->rate);
	load_close(&t->governed.load);
	t->source.first = secret_free(t->source.first);
	t->volume_key = secret_free(t->volume_key);
	t->new_volume_key = secret_free(t->new_volume_key);
}

int terminal_work(const struct options *o, const volatile sig_atomic_t *stop,
		  int (*job)(struct work *w))
{
	_cleanup_(terminal_close) struct terminal t = {
		.o = o,
		.stop = stop,
		.governed.load = LOAD_NONE,
	};

	t.quiet = (struct conversion_watch){.stop = stop_wanted, .arg = &t};
	t.watch = (struct conversion_watch){
		.stop = stop_wanted, .progress = on_progress, .ended = on_end, .arg = &t};
	work_init(&t.work, o, &terminal_desk, &t);
	return job(&t.work);
}
