/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a volume gives back: its worker, and the keys that this had. */
#include "daemon/control/core.h"

void volume_drop_worker(struct volume *v)
{
	if (!worker_slot_drop(&v->worker))
		return;
	/* Its answers are not heard any more: the next worker is asked again. */
	writing_unsent(&v->writing);
	request_unsend(v);
}

void volume_spare_keys(struct volume *v)
{
	if (!v->keys.given || !keys_are_held(&v->keys) || !v->worker.link)
		volume_use_up_keys(v);
}

void volume_use_up_keys(struct volume *v)
{
	keys_spent(&v->keys);
	worker_slot_abandon(&v->worker);
}
