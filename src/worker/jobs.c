/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/jobs.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "luks/begin.h"
#include "luks/status.h"
#include "util/clock.h"
#include "util/log.h"
#include "worker/governed.h"
#include "worker/no-resilience.h"
#include "cli/passphrase.h"
#include "cli/progress.h"
#include "worker/rehearsal.h"
#include "worker/resume-options.h"
#include "worker/steps.h"

/* All that a job owns. */
struct foreground_job {
	const struct options *o;
	const volatile sig_atomic_t *stop;
	struct steps steps;
	struct passphrase_source source;
	struct progress progress;
	struct conversion_watch watch;
	struct secret *volume_key, *new_volume_key; /* from files */
	/* With watch.pause: */
	struct rate rate;
	struct governor_config governor;
	struct governed governed;
	bool steps_back; /* what was said of it last */
};

static void job_close(struct foreground_job *j)
{
	steps_close(&j->steps);
	if (j->watch.pause)
		rate_destroy(&j->rate);
	load_close(&j->governed.load);
	j->source.first = secret_free(j->source.first);
	j->volume_key = secret_free(j->volume_key);
	j->new_volume_key = secret_free(j->new_volume_key);
}

static int read_key_files(struct foreground_job *j)
{
	const struct options *o = j->o;
	int r = volume_key_read(o->keys.volume_key_file, o->keys.old_key_size,
				o->keys.volume_key_keyring, &j->volume_key);

	if (r < 0)
		return r;
	r = volume_key_read(o->keys.new_volume_key_file, o->rotation.key_size,
			    o->keys.new_volume_key_keyring, &j->new_volume_key);
	if (r < 0)
		return r;
	j->steps.volume_key = j->volume_key;
	j->steps.new_volume_key = j->new_volume_key;
	return 0;
}

static bool stop_wanted(void *arg)
{
	const struct foreground_job *j = arg;

	return *j->stop;
}

static void on_progress(void *arg, const struct engine_progress *p)
{
	struct foreground_job *j = arg;

	progress_update(&j->progress, p->converted, now_usec());
}

static bool pause_due(void *arg, uint64_t converted)
{
	struct foreground_job *j = arg;

	return rate_is_due(&j->rate, converted, now_usec());
}

static void tell_of_governor(struct foreground_job *j)
{
	const bool steps_back = governor_steps_back(&j->governed.governor, &j->governor);

	if (steps_back != j->steps_back)
		log_info("%s: %s", j->steps.volume.data_path, j->governed.reason);
	j->steps_back = steps_back;
}

static int make_pause(void *arg, struct luks_store *store, uint64_t converted,
		      struct engine_limits *limits)
{
	struct foreground_job *j = arg;
	const uint64_t governed = governed_rate(&j->governed, &j->governor, converted);

	(void)store;
	tell_of_governor(j);
	rate_set(&j->rate, rate_lower(j->o->pace.rate, governed));
	rate_wait(&j->rate, converted, stop_wanted, j);
	limits->hotzone_size = governed_hotzone(governed, &j->rate);
	return 0;
}

static void on_end(void *arg)
{
	struct foreground_job *j = arg;

	progress_break(&j->progress);
}

/* Without any limit nothing need pause. */
static int set_limits(struct foreground_job *j)
{
	const struct options *o = j->o;
	int r;

	if (o->pace.governor && governor_mode_parse(o->pace.governor, &j->governor.mode) < 0)
		return -EINVAL;
	j->governor.rate_min = o->pace.rate_min ?: GOVERNOR_DEFAULT_RATE_MIN;
	j->governor.rate_max = o->pace.rate_max;
	j->governor.latency_target = o->pace.latency_target_ms > 0
					     ? o->pace.latency_target_ms * UINT64_C(1000)
					     : GOVERNOR_DEFAULT_LATENCY_TARGET;
	if (o->pace.rate == 0 && j->governor.mode == GOVERNOR_NONE)
		return 0;
	r = rate_init(&j->rate, o->pace.rate);
	if (r < 0)
		return log_error_errno(r, "cannot set up the limit of the rate");
	j->watch.pause_due = pause_due;
	j->watch.pause = make_pause;
	return 0;
}

static int job_open(struct foreground_job *j)
{
	const struct options *o = j->o;
	int r = steps_open(o, &j->steps);

	if (r < 0)
		return r;
	j->source = (struct passphrase_source){
		.key_file = o->keys.key_file,
		.key_description = o->keys.key_description,
		.keyfile_offset = o->keys.keyfile_offset,
		.keyfile_size = o->keys.keyfile_size,
		.device = j->steps.volume.data_path,
		.timeout = o->keys.timeout,
	};
	j->watch = (struct conversion_watch){
		.stop = stop_wanted,
		.progress = on_progress,
		.ended = on_end,
		.arg = j,
	};
	j->steps.watch = &j->watch;
	j->steps.tokens = !o->keys.key_file || options_choose_tokens(o);
	j->steps.passphrases = (struct luks_passphrases){
		.ask = passphrase_ask,
		.arg = &j->source,
		.empty_gives_up = passphrase_is_typed(&j->source),
		.tries = o->keys.tries,
	};
	r = set_limits(j);
	if (r < 0)
		return r;
	r = read_key_files(j);
	return r < 0 ? r : steps_wipe_freed(&j->steps);
}

static struct progress progress_of(const struct foreground_job *j)
{
	return (struct progress){
		.out = stdout,
		.device = j->steps.volume.data_path,
		.size = j->steps.volume.reenc.data_size,
		.frequency = j->o->output.progress_frequency,
		.json = j->o->output.progress_json,
		.terminal = isatty(STDOUT_FILENO),
	};
}

static int recover_only(struct foreground_job *j)
{
	const struct conversion_watch quiet = {.stop = stop_wanted, .arg = j};
	enum engine_outcome outcome;
	int r;

	assert(j->steps.watch == &j->watch);
	j->steps.watch = &quiet;
	r = steps_convert(&j->steps, true, &outcome);
	j->steps.watch = &j->watch;
	return r;
}

static int convert(struct foreground_job *j)
{
	const char *path = j->steps.volume.data_path;
	enum engine_outcome outcome;
	int r;

	assert(j->steps.volume.reenc.state != LUKS_REENC_NONE);
	j->progress = progress_of(j);
	j->governed.name = j->steps.volume.name;
	r = steps_convert(&j->steps, false, &outcome);
	if (r < 0)
		return r;
	if (outcome == ENGINE_STOPPED) {
		log_notice(
			"%s: interrupted, with a clean header; resume with: recryptctl reencrypt "
			"--resume-only %s",
			path, j->steps.volume.arguments);
		return -EINTR; /* no success: a script must not take it for the end */
	}
	return 0;
}

static int confirm_lost_keyslots(const struct foreground_job *j, const struct luks_begin_plan *plan)
{
	if (plan->n_lost == 0)
		return 0;
	for (size_t i = 0; i < plan->n_slots; i++)
		if (!plan->slots[i].kept)
			log_warning("%s: keyslot %d will be lost%s: its passphrase was not given",
				    j->steps.volume.data_path, plan->slots[i].keyslot,
				    plan->slots[i].tokens ? " (and leaves its token)" : "");
	return j->o->batch_mode || j->o->keys.no_keyslots
		       ? 0
		       : passphrase_confirm_lost(j->steps.volume.data_path);
}

static int begin(struct foreground_job *j)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	int r = steps_plan(&j->steps, &b);

	if (r < 0)
		return r;
	r = confirm_lost_keyslots(j, luks_begin_get_plan(b));
	if (r < 0)
		return r;
	if (*j->stop)
		return log_refusal(-EINTR, "%s: interrupted; nothing was changed",
				   j->steps.volume.data_path);
	return steps_begin(&j->steps, b);
}

/* The header is ours from here on. Before the first commit somebody vouches for its position. */
static int take_over(struct foreground_job *j)
{
	int r = steps_take_over(&j->steps);

	return r < 0 ? r : no_resilience_confirm(&j->steps.volume, j->o);
}

/* The resilience changes between two hotzones only: a hot volume is recovered in the old way. */
static int change_resilience(struct foreground_job *j)
{
	bool changes;
	int r = resume_changes_resilience(&j->steps, &changes);

	if (r < 0)
		return r;
	if (j->steps.volume.reenc.state == LUKS_REENC_HOT && changes) {
		r = recover_only(j);
		if (r < 0)
			return r;
	}
	return resume_change_resilience(&j->steps);
}

/* What was asked for at the beginning holds to the end (cryptsetup issue 570 was about this). */
static int resume(struct foreground_job *j)
{
	int r = resume_check_options(&j->steps.volume, j->o);

	if (r < 0)
		return r;
	r = no_resilience_check(&j->steps.volume, j->o);
	if (r < 0)
		return r;
	r = steps_check_size(&j->steps.volume);
	if (r < 0)
		return r;
	r = steps_unlock(&j->steps);
	if (r < 0)
		return r;
	r = resume_check_keys(&j->steps);
	if (r < 0)
		return r;
	r = take_over(j);
	if (r < 0)
		return r;
	r = rehearse_rest(&j->steps, REHEARSE_RESILIENCE);
	return r < 0 ? r : change_resilience(j);
}

static int reencrypt(struct foreground_job *j)
{
	const struct work_volume *v = &j->steps.volume;
	int r = steps_check_supported(v);

	if (r < 0)
		return r;
	if (v->reenc.state != LUKS_REENC_NONE) {
		r = resume(j);
		/* Its last hotzone may have been all that was left. */
		return r < 0 || v->reenc.state == LUKS_REENC_NONE ? r : convert(j);
	}
	/* Who ran it again wants that re-encryption to be over, not another one. */
	if (v->stacked)
		return steps_settle(&j->steps);
	if (j->o->resume_only)
		return log_refusal(-EINVAL, "%s: no re-encryption is in progress", v->data_path);
	r = begin(j);
	if (r < 0 || j->o->init_only)
		return r;
	r = steps_take_over(&j->steps);
	return r < 0 ? r : convert(j);
}

/* Something that may open the volume, or somebody who can be asked. */
static bool key_is_given(struct foreground_job *j)
{
	return j->volume_key || j->new_volume_key || options_choose_tokens(j->o) ||
	       passphrase_is_given(&j->source);
}

/* The header is ours from here on. */
static int recover_locked(struct foreground_job *j)
{
	const struct work_volume *v = &j->steps.volume;
	int r = no_resilience_refuse(v);

	if (r < 0)
		return r;
	/* The header may be clean already, and I/O still wait for the worker that died. */
	if (v->reenc.state == LUKS_REENC_CLEAN && !v->stacked) {
		log_notice(
			"%s: nothing to recover; resume with: recryptctl reencrypt --resume-only "
			"%s",
			v->data_path, v->arguments);
		return 0;
	}
	r = recover_only(j);
	if (r < 0)
		return r;
	if (v->reenc.state == LUKS_REENC_NONE)
		log_notice("%s: recovered; the re-encryption is complete", v->data_path);
	else
		log_notice("%s: recovered; resume with: recryptctl reencrypt --resume-only %s",
			   v->data_path, v->arguments);
	return 0;
}

static int recover(struct foreground_job *j)
{
	const struct work_volume *v = &j->steps.volume;
	int r = steps_check_supported(v);

	if (r < 0)
		return r;
	if (v->reenc.state == LUKS_REENC_NONE && v->stacked)
		return steps_settle(&j->steps);
	if (v->reenc.state == LUKS_REENC_NONE) {
		log_notice("%s: nothing to recover", v->data_path);
		return 0;
	}
	r = no_resilience_refuse(v);
	if (r < 0)
		return r;
	/* Only a key can verify the header, but a script without one only wants it to be clean. */
	if (v->reenc.state == LUKS_REENC_CLEAN && !v->stacked && !key_is_given(j)) {
		log_notice("%s: nothing to recover; not verified, as no key was given",
			   v->data_path);
		return 0;
	}
	r = steps_unlock(&j->steps);
	if (r < 0)
		return r;
	r = steps_take_over(&j->steps);
	return r < 0 ? r : recover_locked(j);
}

/* Before anybody is asked for a passphrase. */
static int check_cancel(const struct foreground_job *j)
{
	const struct work_volume *v = &j->steps.volume;
	int r = steps_check_cancellable(v);

	if (r < 0)
		return r;
	r = resume_check_options(v, j->o);
	return r < 0 ? r : no_resilience_check(v, j->o);
}

/* The header is ours from here on. */
static int cancel_locked(struct foreground_job *j)
{
	const struct work_volume *v = &j->steps.volume;
	int r = steps_check_cancellable(v);

	if (r < 0)
		return r;
	r = rehearse_rest(&j->steps, REHEARSE_RESILIENCE | REHEARSE_BACK);
	if (r < 0)
		return r;
	r = change_resilience(j);
	if (r < 0)
		return r;
	/* A stack that is there still has the sides in their roles of before. */
	if (v->reenc.state == LUKS_REENC_HOT || v->stacked) {
		r = recover_only(j);
		if (r < 0)
			return r;
	}
	r = steps_check_cancellable(v);
	if (r < 0)
		return r;
	r = steps_turn_around(&j->steps);
	return r < 0 ? r : convert(j);
}

static int cancel(struct foreground_job *j)
{
	const struct work_volume *v = &j->steps.volume;
	int r = steps_check_supported(v);

	if (r < 0)
		return r;
	if (v->reenc.state == LUKS_REENC_NONE && v->stacked)
		return steps_settle(&j->steps);
	r = check_cancel(j);
	if (r < 0)
		return r;
	r = steps_unlock(&j->steps);
	if (r < 0)
		return r;
	r = take_over(j);
	return r < 0 ? r : cancel_locked(j);
}

static int run_job(const struct options *o, const volatile sig_atomic_t *stop,
		   int (*job)(struct foreground_job *j))
{
	_cleanup_(job_close) struct foreground_job j = {
		.o = o,
		.stop = stop,
		.governed.load = LOAD_NONE,
	};
	int r = job_open(&j);

	return r < 0 ? r : job(&j);
}

int job_reencrypt(const struct options *o, const volatile sig_atomic_t *stop)
{
	return run_job(o, stop, reencrypt);
}

int job_recover(const struct options *o, const volatile sig_atomic_t *stop)
{
	return run_job(o, stop, recover);
}

int job_cancel(const struct options *o, const volatile sig_atomic_t *stop)
{
	return run_job(o, stop, cancel);
}
