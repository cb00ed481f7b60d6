/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/table.h"

#include <assert.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "util/checked.h"
#include "util/text.h"

#define GAP         2
#define CUT_MIN     4 /* no text is made shorter than this */
#define COLUMNS_MAX 32

struct text_table {
	const struct table_column *const *columns;
	size_t n_columns, n_rows;
	char **cells; /* by rows */
	const char **colours;
};

int table_new(const struct table_column *const *columns, size_t n, struct text_table **ret)
{
	struct text_table *t = calloc(1, sizeof(*t));

	assert(n > 0 && n <= COLUMNS_MAX);
	if (!t)
		return -ENOMEM;
	*t = (struct text_table){.columns = columns, .n_columns = n};
	*ret = t;
	return 0;
}

struct text_table *table_free(struct text_table *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n_rows * t->n_columns; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->colours);
	free(t);
	return NULL;
}

int table_add_row(struct text_table *t, const char *colour)
{
	char **cells = reallocarray(t->cells, t->n_rows + 1, t->n_columns * sizeof(*cells));
	const char **colours;

	if (!cells)
		return -ENOMEM;
	t->cells = cells;
	colours = reallocarray(t->colours, t->n_rows + 1, sizeof(*colours));
	if (!colours)
		return -ENOMEM;
	t->colours = colours;
	memset(&cells[t->n_rows * t->n_columns], 0, t->n_columns * sizeof(*cells));
	colours[t->n_rows++] = colour;
	return 0;
}

int table_set(struct text_table *t, size_t column, const char *text)
{
	char **cell = &t->cells[(t->n_rows - 1) * t->n_columns + column];

	assert(t->n_rows > 0 && column < t->n_columns && !*cell);
	*cell = text_masked(text);
	return *cell ? 0 : -ENOMEM;
}

/* --- width --- */

/* The C locale knows no character outside of ASCII. */
static locale_t utf8(void)
{
	static locale_t locale;

	if (!locale)
		locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
	return locale;
}

/* Bytes of the first character of @text, and its columns. */
static size_t next_character(const char *text, unsigned *ret_width)
{
	mbstate_t state = {};
	wchar_t c;
	const size_t n = mbrtowc(&c, text, strlen(text), &state);
	int width;

	*ret_width = 1;
	if (n == 0 || n > strlen(text))
		return 1;
	width = wcwidth(c);
	*ret_width = width < 0 ? 1 : (unsigned)width;
	return n;
}

/* Bytes of what fits into @width columns, and how many of those it takes. */
static size_t fitting(const char *text, unsigned width, unsigned *ret_width)
{
	const locale_t before = utf8() ? uselocale(utf8()) : NULL;
	size_t bytes = 0;
	unsigned taken = 0;

	while (text[bytes]) {
		unsigned more;
		const size_t n = next_character(text + bytes, &more);

		if (taken + more > width)
			break;
		taken += more;
		bytes += n;
	}
	if (before)
		(void)uselocale(before);
	*ret_width = taken;
	return bytes;
}

unsigned table_text_width(const char *text)
{
	unsigned width;

	(void)fitting(text, UINT16_MAX, &width);
	return width;
}

static const char *cell_of(const struct text_table *t, size_t row, size_t column)
{
	return t->cells[row * t->n_columns + column] ?: "";
}

static void measure(const struct text_table *t, const struct table_style *style, unsigned *widths)
{
	for (size_t c = 0; c < t->n_columns; c++) {
		widths[c] = style->legend ? table_text_width(t->columns[c]->head) : 0;
		for (size_t r = 0; r < t->n_rows; r++)
			widths[c] = MAX(widths[c], table_text_width(cell_of(t, r, c)));
	}
}

static unsigned total(const unsigned *widths, size_t n)
{
	unsigned sum = 0;

	for (size_t c = 0; c < n; c++)
		if (widths[c] > 0)
			sum += widths[c] + (sum ? GAP : 0);
	return sum;
}

/* The column that can best be spared, or one that is not there. */
static size_t to_spare(const struct text_table *t, const unsigned *widths)
{
	size_t found = t->n_columns;

	for (size_t c = 0; c < t->n_columns; c++)
		if (widths[c] > 0 && t->columns[c]->spare > 0 &&
		    (found == t->n_columns || t->columns[c]->spare > t->columns[found]->spare))
			found = c;
	return found;
}

/* The widest that may be cut, or one that is not there. */
static size_t to_cut(const struct text_table *t, const unsigned *widths)
{
	size_t found = t->n_columns;

	for (size_t c = 0; c < t->n_columns; c++)
		if (t->columns[c]->cut && widths[c] > CUT_MIN &&
		    (found == t->n_columns || widths[c] > widths[found]))
			found = c;
	return found;
}

/* A column of width 0 is left out. */
static void fit(const struct text_table *t, const struct table_style *style, unsigned *widths)
{
	size_t c;

	while (style->width && !style->keep && total(widths, t->n_columns) > style->width &&
	       (c = to_spare(t, widths)) < t->n_columns)
		widths[c] = 0;
	while (style->width && total(widths, t->n_columns) > style->width &&
	       (c = to_cut(t, widths)) < t->n_columns)
		widths[c]--;
}

/* --- print --- */

static void pad(unsigned n, FILE *out)
{
	while (n-- > 0)
		(void)fputc(' ', out);
}

static void print_cell(const char *text, unsigned width, bool right, bool last, FILE *out)
{
	static const char dots[] = "..";
	const bool whole = table_text_width(text) <= width;
	unsigned taken;
	const size_t n = fitting(text, whole ? width : width - (unsigned)strlen(dots), &taken);

	taken += whole ? 0 : (unsigned)strlen(dots);
	if (right)
		pad(width - taken, out);
	(void)fprintf(out, "%.*s%s", (int)n, text, whole ? "" : dots);
	if (!right && !last)
		pad(width - taken, out);
}

static void print_row(const struct text_table *t, const unsigned *widths, size_t last,
		      const char *(*text)(const struct text_table *t, size_t row, size_t column),
		      size_t row, FILE *out)
{
	bool first = true;

	for (size_t c = 0; c <= last; c++) {
		if (widths[c] == 0)
			continue;
		pad(first ? 0 : GAP, out);
		first = false;
		print_cell(text(t, row, c), widths[c], t->columns[c]->right, c == last, out);
	}
}

static const char *head_of(const struct text_table *t, size_t row, size_t column)
{
	(void)row;
	return t->columns[column]->head;
}

int table_print(const struct text_table *t, const struct table_style *style, FILE *out)
{
	unsigned widths[COLUMNS_MAX];
	size_t last = t->n_columns - 1;

	errno = 0;
	measure(t, style, widths);
	fit(t, style, widths);
	while (last > 0 && widths[last] == 0)
		last--;
	if (style->legend) {
		print_row(t, widths, last, head_of, 0, out);
		(void)fputc('\n', out);
	}
	for (size_t r = 0; r < t->n_rows; r++) {
		const char *colour = style->colour ? t->colours[r] : NULL;

		if (colour)
			(void)fprintf(out, "\33[%sm", colour);
		print_row(t, widths, last, cell_of, r, out);
		(void)fprintf(out, "%s\n", colour ? "\33[0m" : "");
	}
	return ferror(out) ? -(errno ?: EIO) : 0; /* of the write that failed */
}
