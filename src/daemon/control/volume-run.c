/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a rotation leaves open is as configured, each time that the worker is told of it; what it
 * says is in the header's record, and holds for all its runs, there and back.
 *
 *     Rotate() -> record.queued.run -- prepared --> record.run -- ended --> nothing
 *                 Resume(), Cancel() change the one that is in force
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "crypto/cipher-spec.h"
#include "daemon/control/core.h"
#include "model/run-switches.h"
#include "util/text.h"

struct run_options volume_resolve_run(const struct volume *v, const struct run_choices *run)
{
	return run_resolve(run, &config_for_volume(v->manager->config, v->uuid)->run);
}

static bool is_to_begin(const struct volume *v)
{
	return !header_in_reencryption(&v->header) && v->token.record.has_queued;
}

static const struct run_choices *in_force(const struct volume *v)
{
	const struct record *r = &v->token.record;

	return is_to_begin(v) ? &r->queued.run : &r->run;
}

struct run_options volume_run_options(const struct volume *v)
{
	return volume_resolve_run(v, in_force(v));
}

bool volume_run_has_changed(const struct volume *v)
{
	const struct run_options now = volume_run_options(v);

	return !run_options_agree(&now, &v->worker.told.run);
}

struct rotate_options volume_complete_options(const struct volume *v,
					      const struct rotate_options *options)
{
	const struct volume_config *c = config_for_volume(v->manager->config, v->uuid);
	struct rotate_options o = *options;

	if (!*o.resilience && c->resilience)
		(void)text_copy(o.resilience, sizeof(o.resilience), c->resilience);
	if (!*o.hash && c->resilience_hash && strcmp(o.resilience, "journal") != 0)
		(void)text_copy(o.hash, sizeof(o.hash), c->resilience_hash);
	return o;
}

/* The worker refuses it, too, but when the record is in the header, and a job tells of it. */
static int check_skip(const struct volume *v, const struct run_choices *run, const char *old_cipher,
		      const char *new_cipher, struct failure *f)
{
	const char *bad = !cipher_tells_unwritten(old_cipher)   ? old_cipher
			  : !cipher_tells_unwritten(new_cipher) ? new_cipher
								: NULL;

	if (!bad || !volume_resolve_run(v, run).skip_unwritten)
		return 0;
	return failure_set(f, -ENOTSUP,
			   "%s: unwritten blocks cannot be told from data with cipher %s; continue "
			   "without --skip-unwritten (SkipUnwritten=)",
			   v->place.device, bad);
}

/* What no header could make possible; the worker has the last word on all else. */
static int check_values(const struct volume *v, const struct rotate_options *o, struct failure *f)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-_:(),./";
	const uint32_t size = o->sector_size;

	if (size != 0 && size != 512 && size != 1024 && size != 2048 && size != 4096)
		return failure_set(
			f, -EINVAL,
			"%s: sectors have 512, 1024, 2048 or 4096 bytes (SectorSize), not %u",
			v->place.device, size);
	if (o->cipher[strspn(o->cipher, letters)] || *o->cipher == '-')
		return failure_set(f, -EINVAL,
				   "%s: \"%.64s\" is no name of a cipher (Cipher); one is such as "
				   "aes-xts-plain64",
				   v->place.device, o->cipher);
	return 0;
}

int volume_check_rotation(const struct volume *v, const struct rotate_options *options,
			  struct failure *f)
{
	int r = check_values(v, options, f);
	/* One that is queued begins with what the present one leaves. */
	const char *old_cipher = *v->header.parameters.new_cipher ? v->header.parameters.new_cipher
								  : v->header.parameters.old_cipher;

	if (r < 0)
		return r;
	return check_skip(v, &options->run, old_cipher,
			  *options->cipher ? options->cipher : old_cipher, f);
}

int volume_change_run(struct volume *v, const struct run_choices *run, struct failure *f)
{
	struct record *r = &v->token.record;
	struct run_choices changed = *in_force(v);
	const char *new_cipher = *v->header.parameters.new_cipher ? v->header.parameters.new_cipher
				 : *r->queued.cipher              ? r->queued.cipher
								  : v->header.parameters.old_cipher;

	if (run->skip_unwritten != CHOICE_CONFIGURED) {
		int q = check_skip(v, run, v->header.parameters.old_cipher, new_cipher, f);

		if (q < 0)
			return q;
	}
	run_choices_replace(&changed, run);
	if (run_choices_equal(&changed, in_force(v)))
		return 0;
	record_choose_run(r, is_to_begin(v), &changed);
	return 1;
}
