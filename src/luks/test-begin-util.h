/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of beginning and unlocking have in common; each step must succeed. */
#pragma once

#include <stdint.h>

#include "luks/begin.h"
#include "luks/test-image.h"
#include "luks/unlock.h"
#include "util/secret.h"

/* Gives out the letters of a string, one a question; '-' gives this keyslot up. */
struct script {
	const char *next;
	int asked, again, last_keyslot;
};

/* Of the image, with passphrases from @s, which must live as long. */
struct luks_begin_params params_for(struct script *s);
struct luks_unlock_params unlock_params(struct script *s);

/* A further keyslot, which this letter opens. */
void add_keyslot(const char *letter);

/* The volume key out of keyslot 0, which "a" opens. */
void get_volume_key(struct secret **ret);

void assert_same_key(const struct secret *a, const struct secret *b);

/* Plans and commits; results may be NULL. */
void begin(const struct luks_begin_params *p, struct secret **ret_old, struct secret **ret_new);

/* cryptsetup takes what we began, and ends it; then @letter opens the volume with @key. */
void assert_cryptsetup_finishes(const char *letter, const struct secret *key);
