/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which switches of RUN_SWITCHES are on: a rotation's word counts before the configuration's. */
#pragma once

#include "model/rotation.h"

struct run_options run_resolve(const struct run_choices *said,
			       const struct run_switches *configured);

/* What @said says replaces what @choices say. */
void run_choices_replace(struct run_choices *choices, const struct run_choices *said);
bool run_choices_equal(const struct run_choices *a, const struct run_choices *b);

/* Do @a and @b have the same switches on? */
bool run_options_agree(const struct run_options *a, const struct run_options *b);
