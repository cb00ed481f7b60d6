/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The manager's event loop and clock, as data: this file stands in for sd-event(3),
 * clock_gettime(2) and timerfd_create(2). Nothing happens by itself. The test decides which source
 * is next, and the clock moves only when the test has it move to the next timer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/* The clock starts anew. No loop exists. */
void loop_reset(void);

sd_event *loop_new(void);
/* The manager is gone, and its sources with it. */
void loop_free(sd_event *event);

/* Has a deferred source to run? */
bool loop_turn_is_due(const sd_event *event);
void loop_take_turn(sd_event *event);

/* Is a descriptor of the loop readable? The manager waits with one for its clock and for processes.
 */
bool loop_has_input(const sd_event *event);
void loop_take_input(sd_event *event);

/* Is a timer set? loop_pass_time() moves the clock to the next one and runs it. */
bool loop_has_timer(const sd_event *event);
void loop_pass_time(sd_event *event);

/* Microseconds since the start. */
uint64_t loop_elapsed(void);
