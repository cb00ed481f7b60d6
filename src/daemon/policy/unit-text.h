/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sizes and times as people read them in the journal. */
#pragma once

#include <stdint.h>

struct unit_text {
	char text[32];
};

/* "512 B", "3.4 MiB", "120 GiB". */
struct unit_text unit_bytes(uint64_t bytes);
/* "0.4 s", "12 s", "3 min 5 s", "7 h 2 min", "3 d 4 h". */
struct unit_text unit_usec(uint64_t usec);
