/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which range is next, and where the edge stands after it. Pure arithmetic on a position.
 */
#pragma once

#include <stdbool.h>

#include "engine/engine.h"

struct hotzone {
	uint64_t offset, size; /* bytes from the start of the data */
};

/* Bytes: the edge is left at multiples of it where the data allows that. */
uint32_t plan_unit(const struct engine_config *cfg);

/* The largest hotzone that resilience area and memory allow; 0 when not even one block fits. */
uint64_t plan_hotzone_max(const struct engine_config *cfg);

/*
 * The same for one that may have the memory of two. Forward only, where stock finds the end of a
 * hotzone of any size.
 */
uint64_t plan_alone_max(const struct engine_config *cfg);

/* Bytes of the longest hotzone that one half of the memory is for. */
uint64_t plan_memory(const struct engine_config *cfg);

/* The bytes of resilience data that protect a hotzone of @size bytes. */
uint64_t plan_resilience_size(const struct engine_config *cfg, uint64_t size);

bool plan_is_at_end(const struct engine_config *cfg, uint64_t boundary);

/*
 * The hotzone beside @boundary, at most @limit bytes. Only backward the last one is longer: as long
 * as the area allows, whatever hotzones are wanted now. Stock's recovery needs that to see the end
 * (it takes a shorter one for unfinished, and its next resume destroys the data). A @limit that
 * read errors have lowered holds there too.
 */
struct hotzone plan_next(const struct engine_config *cfg, uint64_t boundary, uint64_t limit);

/*
 * Cuts @z to @size bytes, but not to less than a unit; the last one backward stays as plan_next()
 * made it.
 */
void plan_cut(const struct engine_config *cfg, struct hotzone *z, uint64_t size);

/*
 * How far the edge may move at once, over what needs no hotzone: bytes. A last hotzone always
 * remains, backward as long as plan_next() has it.
 */
uint64_t plan_jump_max(const struct engine_config *cfg, uint64_t boundary);

/* The edge once @z is converted. */
uint64_t plan_boundary_after(const struct engine_config *cfg, const struct hotzone *z);

/* Bytes converted when the edge stands at @boundary. */
uint64_t plan_converted(const struct engine_config *cfg, uint64_t boundary);
