/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/no-resilience.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "dm/stack.h"
#include "util/log.h"

bool no_resilience_is_there(const struct work_volume *v)
{
	return v->reenc.resilience == LUKS_RESILIENCE_NONE &&
	       (v->reenc.state == LUKS_REENC_CLEAN || v->reenc.state == LUKS_REENC_HOT);
}

/* What the live table says of the true position; empty where it cannot be read. */
struct position_text {
	char text[160];
};

static struct position_text tell_position(int error, const struct stack_position *p)
{
	struct position_text t = {};

	if (error < 0)
		return t;
	if (p->hotzone_size > 0)
		(void)snprintf(t.text, sizeof(t.text),
			       " (the hotzone is %" PRIu64 " bytes at offset %" PRIu64
			       ", and may hold data under both keys)",
			       p->hotzone_size, p->boundary);
	else
		(void)snprintf(t.text, sizeof(t.text), " (offset %" PRIu64 ")", p->boundary);
	return t;
}

/*
 * To close the volume would throw the true position away. cryptsetup may have died while somebody
 * typed a passphrase, so the kernel is asked again.
 */
static int refuse_stacked(const struct work_volume *v)
{
	struct stack_position p;
	struct position_text where;
	int r = v->name ? stack_stock_position(v->name, v->header->uuid, &p) : -ENOENT;

	if (r == -ENOENT && !v->stacked)
		return 0;
	where = tell_position(r, &p);
	return log_refusal(-ENOTUNIQ,
			   "%s: cryptsetup worked with --resilience none, and left its devices "
			   "under the volume. Their live table is the only record of the true "
			   "position%s; the header does not have it. Do not close the volume and "
			   "do not shut down: keep the output of \"dmsetup table\", and copy the "
			   "data from the open volume to another device first",
			   v->name ?: v->data_path, where.text);
}

static int refuse_unnamed(const struct work_volume *v)
{
	return log_refusal(
		-EINVAL,
		"%s: cryptsetup began this re-encryption with --resilience none. If cryptsetup was "
		"killed, the header does not have the true position, and to continue destroys "
		"data: restore a backup then. If cryptsetup stopped by itself, name the resilience "
		"from here on with --resilience checksum or --resilience journal",
		v->data_path);
}

static int refuse_unconfirmed(const struct work_volume *v)
{
	return log_refusal(
		-EINVAL,
		"%s: nothing proves that the position in the header, offset %" PRIu64
		", is the true one, since cryptsetup worked with --resilience none. Only where "
		"cryptsetup stopped by itself give --trust-position, or answer at a terminal; if "
		"cryptsetup was killed, restore a backup",
		v->data_path, v->reenc.boundary);
}

int no_resilience_check(const struct work_volume *v, const struct work_options *o)
{
	int r;

	if (!no_resilience_is_there(v))
		return 0;
	r = refuse_stacked(v);
	if (r < 0)
		return r;
	if (!*o->rotation.resilience)
		return refuse_unnamed(v);
	return o->foreground.batch_mode && !o->foreground.trust_position ? refuse_unconfirmed(v)
									 : 0;
}

int no_resilience_confirm(const struct work_volume *v, const struct work_options *o,
			  int (*ask)(void *arg), void *arg)
{
	int r;

	assert(v->lock);
	r = no_resilience_check(v, o);
	if (r < 0 || !no_resilience_is_there(v) || o->foreground.trust_position)
		return r;
	log_warning("%s: cryptsetup worked with --resilience none, and the header says that it "
		    "stopped at offset %" PRIu64 ". If cryptsetup was killed, or the machine "
		    "crashed, it came further than that, and to continue destroys the data in "
		    "between",
		    v->data_path, v->reenc.boundary);
	r = ask(arg);
	if (r == -ECANCELED)
		return log_refusal(r, "%s: nothing was changed", v->data_path);
	return r < 0 ? refuse_unconfirmed(v) : 0;
}

int no_resilience_refuse(const struct work_volume *v)
{
	int r;

	if (!no_resilience_is_there(v))
		return 0;
	r = refuse_stacked(v);
	if (r < 0)
		return r;
	return log_refusal(-ENOTSUP,
			   "%s: cryptsetup began this re-encryption with --resilience none, which "
			   "names no hotzone in the header. If cryptsetup was killed, to continue "
			   "destroys data: restore a backup. See --trust-position in "
			   "recryptctl(8) for a cryptsetup that stopped by itself",
			   v->data_path);
}
