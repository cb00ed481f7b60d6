/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/volume-writing.h"

#include <assert.h>

static void check(const struct volume_writing *w)
{
	assert(w->durable <= w->sent && w->sent <= w->wanted);
}

uint64_t writing_want(struct volume_writing *w)
{
	check(w);
	return ++w->wanted;
}

bool writing_is_durable(const struct volume_writing *w)
{
	return w->wanted == w->durable;
}

bool writing_is_due(const struct volume_writing *w)
{
	check(w);
	return !writing_is_durable(w) && w->sent == w->durable;
}

void writing_sent(struct volume_writing *w)
{
	assert(writing_is_due(w));
	w->sent = w->wanted;
}

void writing_unsent(struct volume_writing *w)
{
	check(w);
	w->sent = w->durable;
}

void writing_answered(struct volume_writing *w, bool taken)
{
	assert(w->sent > w->durable && w->sent <= w->wanted);
	w->durable = w->sent;
	w->place = taken ? RECORD_IN_HEADER : RECORD_ONLY_HERE;
}

void writing_give_up(struct volume_writing *w)
{
	if (!writing_is_durable(w))
		w->place = RECORD_GIVEN_UP;
	w->durable = w->sent = w->wanted;
}

bool writing_resume(struct volume_writing *w)
{
	if (w->place != RECORD_GIVEN_UP)
		return false;
	w->place = RECORD_IN_HEADER;
	return true;
}
