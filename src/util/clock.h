/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Clocks. */
#pragma once

#include <stdint.h>

/* Microseconds on CLOCK_MONOTONIC. */
uint64_t now_usec(void);

/* Microseconds that this thread has had of a CPU. */
uint64_t thread_cpu_usec(void);
