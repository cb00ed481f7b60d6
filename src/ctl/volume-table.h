/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Volumes in a table: the columns that there are, those of list and monitor, and of a choice. */
#pragma once

#include <json-c/json.h>
#include <stdio.h>

#include "ctl/table.h"

/* NAME, STATE ... separated by commas; those of a verb. */
#define VOLUME_LIST_COLUMNS    "NAME,STATE,SIZE,DONE,RATE,LIMIT,LEFT,DEVICE"
#define VOLUME_MONITOR_COLUMNS "NAME,STATE,PROGRESS,DONE,RATE,LEFT,STALL"

/* Says which column is unknown, and which there are: -EINVAL. */
int volume_table_check(const char *columns);

/* @columns: valid, in capitals or not. @wanted may be NULL: all of @volumes are. */
int volume_table_print(json_object *volumes, const char *columns,
		       bool (*wanted)(json_object *volume), const struct table_style *style,
		       FILE *out);

/* As @out is: a terminal of some width, with colours or not. */
struct table_style volume_table_style(bool legend, FILE *out);

/* Name of the mapping, or the last part of the device's path; the caller's to free. */
char *volume_title(json_object *volume);
