/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Clocks. */
#pragma once

#include <stdint.h>

/* Microseconds on CLOCK_MONOTONIC. */
uint64_t now_usec(void);

/* The same on CLOCK_REALTIME, which people and other hosts set. */
uint64_t wall_clock_usec(void);

/* Microseconds that this thread has had of a CPU. */
uint64_t thread_cpu_usec(void);
