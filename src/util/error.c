/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "util/error.h"

#include <string.h>

static const char *const texts[] = {
	[ERROR_KEY_REJECTED - ERROR_FIRST] = "No keyslot is opened by it",
	[ERROR_OTHER_KEY - ERROR_FIRST] = "Made with other keys",
	[ERROR_HEADER_CHANGED - ERROR_FIRST] = "Another program has changed the header",
	[ERROR_OTHER_VOLUME - ERROR_FIRST] = "Another volume is there",
	[ERROR_REQUIREMENT - ERROR_FIRST] = "The header requires what is not known here",
	[ERROR_COST_TOO_HIGH - ERROR_FIRST] = "The cost is too high",
	[ERROR_UNKNOWN_HASH - ERROR_FIRST] = "The hash is not known here",
	[ERROR_KEYSLOTS_LOST - ERROR_FIRST] = "Keyslots would be lost",
	[ERROR_IN_PROGRESS - ERROR_FIRST] = "A re-encryption is in progress",
	[ERROR_NO_ROTATION - ERROR_FIRST] = "No re-encryption is in progress",
	[ERROR_REVERSING - ERROR_FIRST] = "It is on its way back already",
	[ERROR_SHUTTING_DOWN - ERROR_FIRST] = "The daemon is being stopped",
	[ERROR_NOT_AUTHORIZED - ERROR_FIRST] = "The daemon does not permit it",
	[ERROR_WAIT_CANCELLED - ERROR_FIRST] = "The rotation was cancelled",
	[ERROR_WAIT_FAILED - ERROR_FIRST] = "The rotation has failed",
	[ERROR_WAIT_LOCKED - ERROR_FIRST] = "The volume waits for a key",
	[ERROR_WAIT_SUSPENDED - ERROR_FIRST] = "The volume is suspended",
	[ERROR_WAIT_GONE - ERROR_FIRST] = "The volume is absent",
	[ERROR_WAIT_TIMEOUT - ERROR_FIRST] = "The time is over",
};
_Static_assert(sizeof(texts) / sizeof(texts[0]) == ERROR_END - ERROR_FIRST, "a text is missing");

const char *error_text(int error)
{
	const int code = error < -ERROR_END ? ERROR_END : error < 0 ? -error : error;

	if (code >= ERROR_FIRST && code < ERROR_END)
		return texts[code - ERROR_FIRST];
	return strerrordesc_np(code) ?: "Unknown error";
}
