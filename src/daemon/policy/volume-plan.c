/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/policy/volume-plan.h"

#include <assert.h>

#include "util/checked.h"

const char *volume_state_name(enum volume_state state)
{
	static const char *const names[] = {
		[VOLUME_IDLE] = "idle",           [VOLUME_QUEUED] = "queued",
		[VOLUME_PREPARING] = "preparing", [VOLUME_RUNNING] = "running",
		[VOLUME_SUSPENDED] = "suspended", [VOLUME_REVERSING] = "reversing",
		[VOLUME_FINISHING] = "finishing", [VOLUME_LOCKED] = "locked",
		[VOLUME_FAILED] = "failed",       [VOLUME_ABSENT] = "absent",
	};

	assert(state < ARRAY_SIZE(names));
	return names[state];
}

static struct volume_step step(enum volume_state state, enum volume_action action,
			       enum volume_line line)
{
	return (struct volume_step){.state = state, .action = action, .line = line};
}

static struct volume_step get_keys(const struct volume_facts *f)
{
	if (!f->may_get_keys)
		return step(VOLUME_LOCKED, ACTION_NONE, LINE_NONE);
	if (!f->prepare_turn)
		return step(VOLUME_QUEUED, ACTION_NONE, LINE_PREPARE);
	return step(VOLUME_QUEUED, ACTION_GET_KEYS, LINE_PREPARE);
}

/*
 * To prepare takes as long as the header makes key derivations take, and holds a slot that others
 * wait for. A group is stopped as a whole (group.c).
 */
static bool is_prepared_in_vain(const struct volume_facts *f)
{
	return (f->suspended || f->cancel || f->paused) && !f->grouped;
}

/* No re-encryption is there. */
static struct volume_step decide_idle(const struct volume_facts *f)
{
	if (f->at_work == WORKER_PREPARE)
		return step(VOLUME_PREPARING, is_prepared_in_vain(f) ? ACTION_STOP : ACTION_NONE,
			    LINE_PREPARE);
	if (!f->rotation_wanted)
		return step(VOLUME_IDLE, ACTION_NONE, LINE_NONE);
	if (f->suspended)
		return step(VOLUME_SUSPENDED, ACTION_NONE, LINE_NONE);
	if (f->paused)
		return step(VOLUME_QUEUED, ACTION_NONE, LINE_NONE);
	if (!f->keys)
		return get_keys(f);
	if (!f->prepare_turn)
		return step(VOLUME_QUEUED, ACTION_NONE, LINE_PREPARE);
	return step(VOLUME_PREPARING, ACTION_PREPARE, LINE_PREPARE);
}

static enum volume_state running(const struct volume_facts *f)
{
	if (f->all_done)
		return VOLUME_FINISHING;
	return f->backward ? VOLUME_REVERSING : VOLUME_RUNNING;
}

static struct volume_step decide_converting(const struct volume_facts *f)
{
	enum volume_action action = ACTION_NONE;

	if (f->paused || f->suspended || f->outside || f->trouble == TROUBLE_CONFLICT)
		action = ACTION_STOP;
	else if (f->cancel && !f->backward)
		action = ACTION_REVERSE;
	else if (f->run_changed)
		action = ACTION_STOP; /* and then it is begun anew */
	return step(running(f), action, LINE_CONVERT);
}

/* In re-encryption, and nothing converts. */
static struct volume_step decide_standing(const struct volume_facts *f)
{
	const bool unclean = f->reencryption == REENCRYPTION_HOT || f->stacked;

	if (f->paused)
		return step(f->suspended && !unclean ? VOLUME_SUSPENDED : VOLUME_QUEUED,
			    ACTION_NONE, LINE_NONE);
	if (unclean && f->keys)
		return step(VOLUME_QUEUED, ACTION_RECOVER, LINE_NONE);
	if (unclean)
		return get_keys(f);
	if (f->suspended)
		return step(VOLUME_SUSPENDED, ACTION_NONE, LINE_NONE);
	if (!f->keys)
		return get_keys(f);
	if (f->cancel && !f->backward && !f->all_done)
		return f->something_done ? step(VOLUME_REVERSING, ACTION_REVERSE, LINE_NONE)
					 : step(VOLUME_REVERSING, ACTION_UNDO, LINE_NONE);
	if (f->held)
		return step(VOLUME_PREPARING, ACTION_NONE, LINE_NONE);
	if (f->outside)
		return step(VOLUME_SUSPENDED, ACTION_NONE, LINE_NONE);
	if (!f->convert_turn)
		return step(VOLUME_QUEUED, ACTION_NONE, LINE_CONVERT);
	return step(running(f), ACTION_CONVERT, LINE_CONVERT);
}

struct volume_step volume_decide(const struct volume_facts *f)
{
	const bool idle = f->reencryption == REENCRYPTION_NONE;
	struct volume_step s;

	if (f->absent)
		return step(VOLUME_ABSENT, ACTION_NONE, LINE_NONE);
	if (!idle && f->at_work == WORKER_CONVERT)
		return decide_converting(f);
	if (f->trouble == TROUBLE_CONFLICT ||
	    (!idle && (f->trouble == TROUBLE_FAILED || !f->supported)))
		return step(VOLUME_FAILED, ACTION_NONE, LINE_NONE);
	s = idle ? decide_idle(f) : decide_standing(f);
	if (f->at_work == WORKER_USE_PROVIDER && s.line != LINE_PREPARE && !f->checking)
		s.action = ACTION_STOP; /* that may take long, and nobody wants the key any more */
	else if (f->at_work != WORKER_NONE && s.action != ACTION_STOP) /* it first has to end */
		s.action = ACTION_NONE;
	return s;
}
