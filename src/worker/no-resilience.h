/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A re-encryption that cryptsetup began with --resilience none. cryptsetup then writes its position
 * to the header only when it stops by itself. After a kill the header still has an older position,
 * and nothing in the header tells. Whoever continues there encrypts the data in between twice.
 *
 *    header         volume            is continued
 *    all converted  any               as any other: no data is touched
 *    clean          has a dm stack    never: the stack's live table has the only true position
 *    clean          else              where a person names a resilience and vouches for the
 * position hot            any               never (steps_check_supported())
 */
#pragma once

#include "worker/volume.h"

/* Is it such a header, with data that is not converted yet? */
bool no_resilience_is_there(const struct work_volume *v);

/*
 * May a person continue @v with the options @o? Asks nobody, so it can be called before passphrases
 * are asked for. Another header than such a one is no error. Logs why not, and what to do:
 * -ENOTUNIQ, -EINVAL.
 */
int no_resilience_check(const struct work_volume *v, const struct work_options *o);

/*
 * The same for the locked volume, before the first commit. Without --trust-position a person must
 * vouch for the position: @ask() returns 0 for yes, -ECANCELED for no, and another error where
 * nobody can be asked. The last two are logged.
 */
int no_resilience_confirm(const struct work_volume *v, const struct work_options *o,
			  int (*ask)(void *arg), void *arg);

/*
 * For jobs that no person runs, for recover, and before the engine is made, which can protect no
 * hotzone then: always refuses such a header. Logs -ENOTUNIQ, -ENOTSUP.
 */
int no_resilience_refuse(const struct work_volume *v);
