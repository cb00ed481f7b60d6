/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Text in columns as wide as what is in them, that fit a terminal: where they do not, columns that
 * can be spared go first, and then texts that can be cut are. A wide character counts as two, one
 * that is put over another as none. Texts are masked (util/text.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct table_column {
	const char *head;
	bool right, cut; /* aligned; may be shortened */
	unsigned spare;  /* the one with the highest number goes first; 0: none can be spared */
};

struct table_style {
	unsigned width;      /* of the terminal; 0: any */
	bool legend, colour; /* heads; control sequences */
	bool keep;           /* all columns: somebody has chosen them */
};

struct text_table;

/* @columns must outlive the table. */
int table_new(const struct table_column *const *columns, size_t n, struct text_table **ret);
struct text_table *table_free(struct text_table *t);

/* A row of empty texts; those that follow are of it. @colour is an SGR number or NULL. */
int table_add_row(struct text_table *t, const char *colour);
int table_set(struct text_table *t, size_t column, const char *text);

int table_print(const struct text_table *t, const struct table_style *style, FILE *out);

/* Columns of a terminal that @text takes. */
unsigned table_text_width(const char *text);
