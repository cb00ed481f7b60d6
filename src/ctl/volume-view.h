/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How volumes, as the daemon tells of them, are shown to people. Pure but for the streams that are
 * written to. Their texts are masked (util/text.h): they may hold the control sequences of a
 * terminal.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define VIEW_TEXT 32

/* "1.5 GiB", "12 KiB/s", "3h05m", "2026-11-22 07:30:00". @text has VIEW_TEXT bytes. */
void view_bytes(uint64_t bytes, char *text);
void view_rate(uint64_t rate, char *text);
void view_duration(uint64_t usec, char *text);
void view_time(uint64_t realtime_usec, char *text);

/* How long it will still take at the present rate; "-": not known. */
void view_time_left(json_object *volume, char *text);

/* Done, of a whole: 0 .. 100. */
double view_percent(json_object *volume);

/* Name, or device where it is closed, masked; the caller's to free. */
char *view_name(json_object *volume);

/* All of one volume that is not empty, lines of "Name: value". */
int view_volume(json_object *v, FILE *out);

/*
 * What the daemon does with it, for behind what the header says. @in_header: there is a
 * re-encryption in it now.
 */
int view_work(json_object *v, bool in_header, FILE *out);

/* A table of the keys. */
int view_keys(json_object *volume, FILE *out);

/* What Check() returned. */
int view_check(json_object *o, FILE *out);
