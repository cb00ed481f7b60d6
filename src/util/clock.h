/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The monotonic clock. */
#pragma once

#include <stdint.h>

/* Microseconds on CLOCK_MONOTONIC. */
uint64_t now_usec(void);
