/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/names.h"

#include "luks/record-mac.h"
#include "luks/reencrypt.h"

const char *const luks_reenc_state_names[LUKS_REENC_STATE_COUNT] = {
	[LUKS_REENC_NONE] = "none",
	[LUKS_REENC_CLEAN] = "clean",
	[LUKS_REENC_HOT] = "hot",
	[LUKS_REENC_FINISH] = "finish",
};

const char *const record_trust_names[RECORD_TRUST_COUNT] = {
	[RECORD_NONE] = "none",
	[RECORD_UNVERIFIED] = "unverified",
	[RECORD_VERIFIED] = "verified",
	[RECORD_UNTRUSTED] = "untrusted",
};
