/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What recryptd remembers of a volume in the volume's own header: a token of type "recryptd", which
 * belongs to no keyslot and so opens nothing. cryptsetup carries tokens that it does not know along
 * unchanged. What the members mean is the manager's affair.
 */
#pragma once

#include "luks/header.h"
#include "luks/record-mac.h"

#define RECORD_TOKEN_TYPE "recryptd"
/* Bytes of the text, NUL included. The smallest JSON area of a header has 12 KiB for all. */
#define RECORD_SIZE_MAX 8192

/* The record as compact JSON in @text; empty where there is none. -EFBIG: does not fit. */
int luks_record_get(const struct luks_header *h, char text[static RECORD_SIZE_MAX]);

/* May what the record says be obeyed? @keys: those of the header's present digests. */
enum record_trust luks_record_check(const struct luks_header *h, const struct record_keys *keys);

/*
 * Puts the JSON object @text into h->json in place of the record that is there, with "type", an
 * empty "keyslots", and MACs with @keys; an empty @text removes it. To be committed. Nothing has
 * changed on -EINVAL (no JSON object, @why), -EFBIG (longer than RECORD_SIZE_MAX), -ENOSPC (no
 * token number is free, or the header would have no room left for what a re-encryption adds).
 */
int luks_record_set(struct luks_header *h, const char *text, const struct record_keys *keys,
		    struct luks_reason *why);
