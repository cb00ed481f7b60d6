/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/lost-keyslots.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/terminal.h"
#include "util/log.h"

static bool leaves_token(const char *binding)
{
	return *binding && strcmp(binding, LUKS_BINDING_NONE) != 0 &&
	       !luks_binding_dies_with_keyslot(binding);
}

static void tell_one(const char *device, unsigned keyslot, const char *binding)
{
	const struct luks_binding_device *d = luks_binding_device(binding);
	char note[LUKS_BINDING_NOTE];

	if (d)
		log_warning("%s: keyslot %u is unlocked by %s (%s) and cannot be carried over "
			    "without it. Afterwards enrol it anew: %s%s%s",
			    device, keyslot, d->name, d->type, d->enrol, device, d->rest);
	else
		log_warning("%s: keyslot %u%s will be lost: its passphrase was not given%s", device,
			    keyslot, luks_binding_note(binding, note),
			    leaves_token(binding) ? "; its token stays behind" : "");
}

void lost_keyslots_tell(const char *device, const struct luks_bindings *b, uint32_t lost)
{
	for (unsigned n = 0; n < LUKS_MAX_KEYSLOTS; n++)
		if (lost & UINT32_C(1) << n)
			tell_one(device, n, b->of[n]);
}

int lost_keyslots_confirm(const char *device, uint32_t lost, const char *agrees)
{
	static const struct luks_bindings unnamed;
	char list[LUKS_BINDINGS_TEXT], question[LUKS_BINDINGS_TEXT + 32];
	bool yes;
	int r;

	assert(lost != 0);
	(void)luks_bindings_text(&unnamed, lost, list);
	(void)snprintf(question, sizeof(question), "Continue, and lose %s?", list);
	r = terminal_confirm(question, &yes);
	if (r == -EINTR)
		return log_refusal(r, "%s: interrupted; nothing was changed", device);
	if (r < 0)
		return log_refusal(r,
				   "%s: nobody can be asked here whether %s may be lost; %s agrees",
				   device, list, agrees);
	return yes ? 0 : log_refusal(-ECANCELED, "%s: nothing was changed", device);
}
