/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/volume-trouble.h"

void trouble_failed(struct volume_trouble *t, const struct failure *f)
{
	if (t->kind == TROUBLE_CONFLICT)
		return;
	t->kind = TROUBLE_FAILED;
	t->failure = *f;
}

void trouble_conflict(struct volume_trouble *t, const struct failure *f)
{
	t->kind = TROUBLE_CONFLICT;
	t->failure = *f;
}

bool trouble_is_conflict(const struct volume_trouble *t)
{
	return t->kind == TROUBLE_CONFLICT;
}

void trouble_forgive(struct volume_trouble *t)
{
	if (t->kind == TROUBLE_FAILED)
		t->kind = TROUBLE_NONE;
}

void trouble_clear(struct volume_trouble *t)
{
	t->kind = TROUBLE_NONE;
}
