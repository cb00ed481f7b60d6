/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Takes the place of the C library's functions that allocate. Each of them asks the program or the
 * preloaded library that it is linked into whether it fails.
 */
#pragma once

#include <stdbool.h>

/*
 * Defined by the user of this file: does the allocation fail that the code at @caller asks for?
 * What the C library allocates for a caller (strdup) counts as the caller's. Must not allocate.
 */
bool allocation_fails(const void *caller);

/* Is @caller the program's own code, or that of a shared library? False before main(). */
bool allocation_is_of_program(const void *caller);
