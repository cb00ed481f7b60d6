/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/jobs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "luks/begin.h"
#include "luks/status.h"
#include "luks/unlock.h"
#include "util/log.h"
#include "worker/conversion.h"
#include "worker/kernel-cipher.h"
#include "worker/passphrase.h"
#include "worker/progress.h"
#include "worker/terminal.h"
#include "worker/volume.h"

/* All that a job owns. */
struct job {
	const struct options *o;
	const volatile sig_atomic_t *stop;
	struct volume volume;
	struct passphrase_source source;
	struct secret *volume_key, *new_volume_key; /* from files */
	struct secret *old_key, *new_key;           /* of volume.reenc's sides */
};

static void job_close(struct job *j)
{
	volume_close(&j->volume);
	j->volume_key = secret_free(j->volume_key);
	j->new_volume_key = secret_free(j->new_volume_key);
	j->old_key = secret_free(j->old_key);
	j->new_key = secret_free(j->new_key);
}

static int read_key_files(struct job *j)
{
	int r = 0;

	if (j->o->volume_key_file)
		r = key_file_read(j->o->volume_key_file, 0, 0, &j->volume_key);
	if (r == 0 && j->o->new_volume_key_file)
		r = key_file_read(j->o->new_volume_key_file, 0, 0, &j->new_volume_key);
	return r;
}

static int job_open(struct job *j, const struct options *o, const volatile sig_atomic_t *stop)
{
	int r;

	*j = (struct job){.o = o, .stop = stop};
	r = volume_open(o, &j->volume);
	if (r < 0)
		return r;
	r = volume_check_idle(&j->volume);
	if (r < 0)
		return r;
	j->source = (struct passphrase_source){
		.key_file = o->key_file,
		.keyfile_offset = o->keyfile_offset,
		.keyfile_size = o->keyfile_size,
		.device = j->volume.data_path,
		.timeout = o->timeout,
	};
	return read_key_files(j);
}

static struct luks_passphrases passphrases_of(struct job *j)
{
	return (struct luks_passphrases){
		.ask = passphrase_ask,
		.arg = &j->source,
		.tries = j->o->tries,
	};
}

static int check_supported(const struct volume *v)
{
	const struct luks_reenc *r = &v->reenc;

	if (r->state == LUKS_REENC_NONE)
		return 0;
	if (r->mode != LUKS_REENCRYPT)
		return log_refusal(
			-ENOTSUP,
			"%s: this is an %s begun by cryptsetup, which only cryptsetup can "
			"go on with",
			v->data_path, r->mode == LUKS_ENCRYPT ? "encryption" : "decryption");
	if (r->shift_size > 0 || r->moved_segment || r->resilience == LUKS_RESILIENCE_NONE)
		return log_refusal(
			-ENOTSUP,
			"%s: this re-encryption moves the data (%s); only cryptsetup can "
			"go on with it",
			v->data_path, luks_resilience_name(r->resilience));
	return 0;
}

/* Volume keys for the sides that still need one. */
static int unlock(struct job *j)
{
	const struct volume *v = &j->volume;
	/* Nothing is left to convert, and cryptsetup may have wiped the old keyslot (P9). */
	const bool converted =
		v->reenc.state == LUKS_REENC_FINISH || v->reenc.state == LUKS_REENC_NONE;
	const struct luks_unlock_params params = {
		.device = v->data_path,
		.header = j->o->header,
		.old_digest = converted ? LUKS_DIGEST_NONE : v->reenc.old_side.digest,
		.new_digest = v->reenc.new_side.digest,
		.keyslot = j->o->key_slot,
		.old_key = j->volume_key,
		.new_key = j->new_volume_key,
		.tokens = !j->o->key_file,
		.passphrases = passphrases_of(j),
	};

	return luks_unlock(&params, &j->old_key, &j->new_key);
}

/* The lock, the header as it is now, and proof that it was written by somebody with the keys. */
static int take_over(struct job *j)
{
	struct volume *v = &j->volume;
	const struct luks_reenc_keys keys = {j->old_key, j->new_key};
	int r = volume_lock(v);

	if (r < 0)
		return r;
	r = check_supported(v);
	if (r < 0)
		return r;
	if (v->reenc.state == LUKS_REENC_NONE)
		return log_refusal(-ESTALE,
				   "%s: somebody else finished the re-encryption meanwhile",
				   v->data_path);
	if (v->reenc.state == LUKS_REENC_FINISH)
		return 0;
	r = luks_reenc_digest_verify(v->header, &v->reenc, &keys);
	if (r < 0)
		return log_error_errno(
			r,
			"%s: the re-encryption metadata was tampered with (verification "
			"digest mismatch); nothing was changed, restore a header backup",
			v->header_path);
	return 0;
}

static struct progress progress_of(const struct job *j)
{
	return (struct progress){
		.out = stdout,
		.device = j->volume.data_path,
		.size = j->volume.reenc.data_size,
		.frequency = j->o->progress_frequency,
		.json = j->o->progress_json,
		.terminal = isatty(STDOUT_FILENO),
	};
}

static int convert(struct job *j, bool recover_only)
{
	const struct conversion_keys keys = {j->old_key, j->new_key};
	struct progress progress = progress_of(j);
	const char *path = j->volume.data_path;
	enum engine_outcome outcome;
	int r;

	if (j->volume.reenc.state == LUKS_REENC_FINISH) {
		/* Turned around before the first hotzone. */
		log_notice(j->o->verb == VERB_CANCEL
				   ? "%s: nothing was converted yet; the volume keeps its old key"
				   : "%s: everything is converted already, finishing",
			   path);
		return conversion_finish(&j->volume);
	}
	r = conversion_run(&j->volume, &keys, recover_only, j->stop,
			   recover_only ? NULL : &progress, &outcome);
	if (r < 0)
		return r;
	if (outcome == ENGINE_STOPPED && !recover_only) {
		log_notice("%s: interrupted, with a clean header; go on with: recryptctl reencrypt "
			   "--resume-only %s",
			   path, j->volume.arguments);
		return -EINTR; /* no success: a script must not take it for the end */
	}
	return 0;
}

static int confirm_lost_keyslots(const struct job *j, const struct luks_begin_plan *plan)
{
	bool yes;
	int r;

	if (plan->n_lost == 0)
		return 0;
	for (size_t i = 0; i < plan->n_slots; i++)
		if (!plan->slots[i].kept)
			log_warning("%s: keyslot %d will be lost%s: its passphrase was not given",
				    j->volume.data_path, plan->slots[i].keyslot,
				    plan->slots[i].tokens ? " (and leaves its token)" : "");
	if (j->o->batch_mode)
		return 0;
	r = terminal_confirm("Go on without these keyslots?", &yes);
	if (r < 0)
		return log_error_errno(
			r,
			"%s: cannot ask on a terminal whether these keyslots may be lost; "
			"give their passphrases, or --batch-mode",
			j->volume.data_path);
	if (!yes)
		return log_refusal(-ECANCELED, "%s: nothing was changed", j->volume.data_path);
	return 0;
}

static int begin(struct job *j)
{
	_cleanup_(luks_begin_freep) struct luks_begin *b = NULL;
	const struct luks_begin_plan *plan;
	const struct options *o = j->o;
	const struct luks_begin_params params = {
		.device = j->volume.data_path,
		.header = o->header,
		.active_name = j->volume.name,
		.cipher = o->cipher,
		.key_size = o->key_size,
		.sector_size = o->sector_size,
		.keep_key = o->keep_key,
		.force_offline = o->force_offline,
		.keyslot = o->key_slot,
		.resilience = o->resilience == RESILIENCE_JOURNAL ? "journal" : "checksum",
		.resilience_hash = o->resilience_hash ? o->resilience_hash : "sha256",
		.device_size = o->device_size,
		.volume_key = j->volume_key,
		.new_volume_key = j->new_volume_key,
		.pbkdf =
			{
				.type = o->pbkdf,
				.hash = o->pbkdf_hash,
				.time_ms = o->iter_time_ms,
				.iterations = o->pbkdf_iterations,
				.memory_kib = o->pbkdf_memory_kib,
				.parallel = o->pbkdf_parallel,
			},
		.passphrases = passphrases_of(j),
	};
	int r = conversion_check(&j->volume);

	if (r == 0)
		r = luks_begin_plan(&params, &b);
	if (r < 0)
		return r;
	plan = luks_begin_get_plan(b);
	r = cipher_check(&j->volume, plan->new_cipher, plan->new_key_size, plan->new_sector_size);
	if (r == 0)
		r = confirm_lost_keyslots(j, plan);
	if (r < 0)
		return r;
	if (*j->stop)
		return log_refusal(-EINTR, "%s: interrupted; nothing was changed",
				   j->volume.data_path);
	return luks_begin_commit(b, &j->old_key, &j->new_key);
}

/* What was asked for at the beginning holds to the end (cryptsetup issue 570 was about this). */
static int check_same_wishes(const struct job *j)
{
	const struct options *o = j->o;
	const struct luks_reenc *r = &j->volume.reenc;
	const char *path = j->volume.data_path, *what = NULL;

	if (o->init_only)
		return log_refusal(-EBUSY, "%s: a re-encryption is in progress already", path);
	if (o->cipher && strcmp(o->cipher, r->new_side.cipher) != 0)
		what = "--cipher";
	else if (o->sector_size > 0 && o->sector_size != r->new_side.sector_size)
		what = "--sector-size";
	else if (o->resilience == RESILIENCE_JOURNAL && r->resilience == LUKS_RESILIENCE_CHECKSUM)
		what = "--resilience";
	else if (o->resilience == RESILIENCE_CHECKSUM && r->resilience == LUKS_RESILIENCE_JOURNAL)
		what = "--resilience";
	else if (o->keep_key && !r->keep_key)
		what = "--keep-key";
	if (what)
		return log_refusal(
			-EINVAL,
			"%s: %s is not what the re-encryption in progress was begun with; "
			"leave it out to go on",
			path, what);
	return 0;
}

/* A worker was killed after its final commit: what is left of it is the device stack. */
static int settle(struct job *j)
{
	struct volume *v = &j->volume;
	int r = unlock(j);

	if (r == 0)
		r = volume_lock(v);
	if (r == 0 && v->reenc.state != LUKS_REENC_NONE)
		r = log_error_errno(-ESTALE, "%s: somebody else began a re-encryption meanwhile",
				    v->data_path);
	if (r == 0)
		r = conversion_settle(v, j->new_key);
	if (r < 0)
		return r;
	log_notice("%s: the re-encryption was complete but for its devices, which are in order now",
		   v->data_path);
	return 0;
}

static int reencrypt(struct job *j)
{
	const struct volume *v = &j->volume;
	int r = check_supported(v);

	if (r < 0)
		return r;
	if (v->reenc.state == LUKS_REENC_NONE) {
		/* Who ran it again wants that re-encryption to be over, not another one. */
		if (v->stacked)
			return settle(j);
		if (j->o->resume_only)
			return log_refusal(-EINVAL, "%s: no re-encryption is in progress",
					   v->data_path);
		r = begin(j);
		if (r < 0 || j->o->init_only)
			return r;
	} else {
		r = check_same_wishes(j);
		if (r < 0)
			return r;
		r = unlock(j);
		if (r < 0)
			return r;
	}
	r = take_over(j);
	return r < 0 ? r : convert(j, false);
}

int job_reencrypt(const struct options *o, const volatile sig_atomic_t *stop)
{
	struct job j;
	int r = job_open(&j, o, stop);

	if (r == 0)
		r = reencrypt(&j);
	job_close(&j);
	return r;
}

static int recover(struct job *j)
{
	const struct volume *v = &j->volume;
	int r = check_supported(v);

	if (r < 0)
		return r;
	if (v->reenc.state == LUKS_REENC_NONE && v->stacked)
		return settle(j);
	/* The header may be clean already, and I/O still wait for the worker that died. */
	if (v->reenc.state == LUKS_REENC_NONE ||
	    (v->reenc.state == LUKS_REENC_CLEAN && !v->stacked)) {
		log_notice("%s: nothing to recover", v->data_path);
		return 0;
	}
	r = unlock(j);
	if (r < 0)
		return r;
	r = take_over(j);
	if (r == 0)
		r = convert(j, true);
	if (r == 0 && v->reenc.state == LUKS_REENC_NONE)
		log_notice("%s: recovered; the re-encryption is complete", v->data_path);
	else if (r == 0)
		log_notice("%s: recovered; go on with: recryptctl reencrypt --resume-only %s",
			   v->data_path, v->arguments);
	return r;
}

int job_recover(const struct options *o, const volatile sig_atomic_t *stop)
{
	struct job j;
	int r = job_open(&j, o, stop);

	if (r == 0)
		r = recover(&j);
	job_close(&j);
	return r;
}

static int check_cancellable(const struct volume *v)
{
	switch (v->reenc.state) {
	case LUKS_REENC_NONE:
		return log_refusal(-EINVAL, "%s: no re-encryption is in progress", v->data_path);
	case LUKS_REENC_FINISH:
		return log_refusal(-EINVAL,
				   "%s: everything is converted; finish with: recryptctl reencrypt "
				   "--resume-only %s",
				   v->data_path, v->arguments);
	case LUKS_REENC_CLEAN:
	case LUKS_REENC_HOT:
		break;
	}
	if (v->reenc.direction == LUKS_BACKWARD)
		return log_refusal(-EALREADY,
				   "%s: it is on the way back already; go on with: recryptctl "
				   "reencrypt --resume-only %s",
				   v->data_path, v->arguments);
	return 0;
}

/* The commit that swaps the roles of the keys; with nothing converted it is the end as well. */
static int turn_around(struct job *j)
{
	struct volume *v = &j->volume;
	const struct luks_reenc_keys keys = {j->old_key, j->new_key};
	_cleanup_(luks_lock_freep) struct luks_lock *lock = NULL;
	struct secret *key;
	struct luks_reason why = {};
	int r = luks_lock_metadata(v->meta_fd, v->header_path, LUKS_LOCK_EXCLUSIVE, &lock);

	if (r == 0)
		r = luks_header_check_unmoved(v->header, v->meta);
	if (r == 0)
		r = luks_reenc_reverse(v->header, &v->reenc, &keys, conversion_hotzone_size(v));
	if (r == 0 && v->reenc.state != LUKS_REENC_FINISH) {
		r = luks_header_commit(v->header, v->meta, &why);
		if (r == 0)
			r = luks_header_flush(v->header, v->meta);
	}
	if (r < 0)
		return log_error_errno(r, "%s: cannot turn the re-encryption around%s%s",
				       v->header_path, why.text[0] ? ": " : "", why.text);
	key = j->old_key;
	j->old_key = j->new_key;
	j->new_key = key;
	return 0;
}

static int cancel(struct job *j)
{
	const struct volume *v = &j->volume;
	int r = check_supported(v);

	if (r == 0 && v->reenc.state == LUKS_REENC_NONE && v->stacked)
		return settle(j);
	if (r == 0)
		r = check_cancellable(v);
	if (r == 0)
		r = unlock(j);
	if (r == 0)
		r = take_over(j);
	if (r == 0)
		r = check_cancellable(&j->volume);
	/* A stack that is there still has the sides in their roles of before. */
	if (r == 0 && (j->volume.reenc.state == LUKS_REENC_HOT || j->volume.stacked))
		r = convert(j, true);
	if (r == 0)
		r = check_cancellable(&j->volume);
	if (r == 0)
		r = turn_around(j);
	return r < 0 ? r : convert(j, false);
}

int job_cancel(const struct options *o, const volatile sig_atomic_t *stop)
{
	struct job j;
	int r = job_open(&j, o, stop);

	if (r == 0)
		r = cancel(&j);
	job_close(&j);
	return r;
}
