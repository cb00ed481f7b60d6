/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names that headers do not have and messages do; those of the header itself are in luks/status.h.
 * The tables need nothing else of this layer, so recryptd, which reads no header, links them, too.
 */
#pragma once

#define LUKS_REENC_STATE_COUNT 4
#define RECORD_TRUST_COUNT     4

/* By enum luks_reenc_state: "none", "clean", "hot", "finish". */
extern const char *const luks_reenc_state_names[LUKS_REENC_STATE_COUNT];
/* By enum record_trust: "none", "unverified", "verified", "untrusted". */
extern const char *const record_trust_names[RECORD_TRUST_COUNT];
