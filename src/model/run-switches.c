/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/run-switches.h"

static bool choose(enum choice choice, bool configured)
{
	return choice == CHOICE_CONFIGURED ? configured : choice == CHOICE_YES;
}

#define RESOLVE(field, ...) .field = choose(said->field, configured->field),

struct run_options run_resolve(const struct run_choices *said,
			       const struct run_switches *configured)
{
	return (struct run_options){RUN_SWITCHES(RESOLVE)};
}

static void replace(enum choice *choice, enum choice said)
{
	if (said != CHOICE_CONFIGURED)
		*choice = said;
}

#define REPLACE(field, ...) replace(&choices->field, said->field);

void run_choices_replace(struct run_choices *choices, const struct run_choices *said)
{
	RUN_SWITCHES(REPLACE)
}

#define COMPARE(field, ...)                                                                        \
	if (a->field != b->field)                                                                  \
		return false;

bool run_choices_equal(const struct run_choices *a, const struct run_choices *b)
{
	RUN_SWITCHES(COMPARE)
	return true;
}

bool run_options_agree(const struct run_options *a, const struct run_options *b)
{
	RUN_SWITCHES(COMPARE)
	return true;
}
