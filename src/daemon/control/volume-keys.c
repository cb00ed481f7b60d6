/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/control/volume-keys.h"

#include <errno.h>
#include <fcntl.h>

#include "daemon/workers/store.h"
#include "model/state-reason.h"
#include "util/cleanup.h"
#include "util/text.h"

static void close_both(struct volume_keys *k)
{
	cleanup_close(&k->old_fd);
	cleanup_close(&k->new_fd);
	k->old_fd = k->new_fd = -1;
}

void keys_init(struct volume_keys *k, const char *uuid)
{
	*k = (struct volume_keys){.uuid = uuid, .old_fd = -1, .new_fd = -1};
}

void keys_take_stored(struct volume_keys *k)
{
	close_both(k);
	k->old_fd = store_take(STORE_OLD_KEY, k->uuid);
	k->new_fd = store_take(STORE_NEW_KEY, k->uuid);
}

void keys_free(struct volume_keys *k)
{
	close_both(k);
}

bool keys_are_held(const struct volume_keys *k)
{
	return k->state == KEYS_HELD || k->state == KEYS_FEW;
}

bool keys_suffice(const struct volume_keys *k)
{
	return k->state == KEYS_HELD;
}

bool keys_are_stored(const struct volume_keys *k)
{
	return k->old_fd >= 0;
}

bool keys_provider_is_left(const struct volume_keys *k)
{
	return !k->provider_asked && k->state != KEYS_LOCKED;
}

void keys_got(struct volume_keys *k, bool given, uint32_t missing)
{
	k->given = given || (k->given && keys_are_held(k));
	/* One that opens nothing more is no reason to derive all keys once more. */
	if (k->state == KEYS_FEW && missing != 0 && missing == k->awaited)
		return;
	k->state = KEYS_HELD;
	k->reason[0] = '\0';
}

void keys_too_few(struct volume_keys *k, uint32_t missing, const char *reason)
{
	if (k->state != KEYS_HELD)
		return;
	k->state = KEYS_FEW;
	k->awaited = missing;
	(void)text_copy(k->reason, sizeof(k->reason), reason);
}

void keys_try_again(struct volume_keys *k)
{
	if (k->state != KEYS_FEW)
		return;
	k->state = KEYS_HELD;
	k->reason[0] = '\0';
}

void keys_found(struct volume_keys *k, bool has)
{
	if (k->state == KEYS_SPENT)
		return;
	k->given = has; /* by whom, the manager before this one knew */
	k->state = has ? KEYS_HELD : KEYS_MISSING;
}

int keys_store(struct volume_keys *k, int old_fd, int new_fd)
{
	_cleanup_close_ int old_copy = fcntl(old_fd, F_DUPFD_CLOEXEC, 0);
	_cleanup_close_ int new_copy = fcntl(new_fd, F_DUPFD_CLOEXEC, 0);

	if (old_copy < 0 || new_copy < 0)
		return -EMFILE;
	keys_drop(k);
	(void)store_put(STORE_OLD_KEY, k->uuid, old_copy);
	(void)store_put(STORE_NEW_KEY, k->uuid, new_copy);
	k->old_fd = TAKE_FD(old_copy);
	k->new_fd = TAKE_FD(new_copy);
	return 0;
}

void keys_ask_provider(struct volume_keys *k)
{
	k->provider_asked = true;
}

void keys_ask_again(struct volume_keys *k)
{
	k->provider_asked = false;
}

void keys_wish(struct volume_keys *k)
{
	k->provider_asked = false;
	keys_try_again(k);
	if (k->state == KEYS_LOCKED)
		k->state = KEYS_MISSING;
}

void keys_start(struct volume_keys *k)
{
	if (!keys_are_held(k))
		return;
	k->state = KEYS_MISSING;
	k->reason[0] = '\0';
}

void keys_lost(struct volume_keys *k, bool asked)
{
	if (asked || keys_are_held(k))
		k->provider_asked = false;
	keys_start(k);
}

void keys_refused(struct volume_keys *k, const char *reason)
{
	keys_start(k);
	(void)text_format(k->reason, sizeof(k->reason), STATE_REASON_KEY "%.480s", reason);
}

void keys_locked(struct volume_keys *k)
{
	k->state = KEYS_LOCKED;
	k->reason[0] = '\0';
	keys_drop(k);
}

void keys_spent(struct volume_keys *k)
{
	if (k->state != KEYS_LOCKED)
		k->state = KEYS_SPENT;
}

void keys_drop(struct volume_keys *k)
{
	if (k->old_fd < 0)
		return;
	store_drop(STORE_OLD_KEY, k->uuid);
	store_drop(STORE_NEW_KEY, k->uuid);
	close_both(k);
}
