/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/lost-keyslots.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "cli/terminal.h"
#include "luks/bindings.h"
#include "util/log.h"

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
