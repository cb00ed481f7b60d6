/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The options of a command that finds a re-encryption begun already: what was chosen at the
 * beginning must not be contradicted, but the resilience may become another.
 */
#pragma once

#include "worker/steps.h"

/* Before keys are asked for. Names the option that contradicts what was begun: -EINVAL. */
int resume_check_options(const struct work_volume *v, const struct work_options *o);

/* The same, of sizes that only the keys tell. After steps_unlock(). */
int resume_check_keys(const struct steps *s);

/*
 * Is another resilience than the header's asked for? Before anything is committed, and of a hot
 * header, too. Logs -EINVAL: the hash of it does not exist.
 */
int resume_changes_resilience(const struct steps *s, bool *ret);

/*
 * Tries on @will_be, whose header and re-encryption are copies of those of @s, what
 * resume_change_resilience() does. Writes nothing. Logs what is wrong.
 */
int resume_try_resilience(const struct steps *s, struct work_volume *will_be);

/*
 * Puts the resilience that is asked for into a clean header, in one commit. After rehearse_rest(),
 * and no_resilience_confirm(); nothing to do is no error. Logs failures, and the change.
 */
int resume_change_resilience(struct steps *s);
