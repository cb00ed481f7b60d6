/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The C library's allocations of this program, one of which can fail: those of the libraries that
 * it uses included.
 */
#pragma once

#include <stdbool.h>

/*
 * Counts from 0 on, and fails the one with the number @n: of the program's own code only, until
 * libraries are to fail, too. The parser of json-c dies where it gets no memory.
 */
void memory_begin(unsigned n);
void memory_fail_libraries(void);
/* Was there one with that number? */
bool memory_end(void);

/* What comes between these is not counted and does not fail: the simulated world needs memory, too.
 */
void memory_pause(void);
void memory_resume(void);

/* Counts those that the program's own code makes meanwhile. */
void memory_watch(bool on);
unsigned memory_watched(void);
