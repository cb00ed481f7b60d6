/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "util/closest.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "util/checked.h"

#define SLIPS_MAX 2
#define NAME_SIZE 40

/* Letters to be added, left out or changed; a row of the table at a time. */
static size_t distance(const char *a, const char *b)
{
	const size_t n = strlen(b);
	size_t row[NAME_SIZE];

	assert(n < NAME_SIZE);
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			const size_t changed = diagonal + (a[i - 1] != b[j - 1]);
			const size_t one_more = 1 + MIN(row[j], row[j - 1]);

			diagonal = row[j];
			row[j] = MIN(changed, one_more);
		}
	}
	return row[n];
}

const char *closest_name(const char *typed, const char *const *names)
{
	const char *best = NULL;
	size_t least = SLIPS_MAX + 1;

	for (; *names; names++) {
		size_t d;

		if (strcasecmp(typed, *names) == 0)
			return *names;
		if (strlen(*names) >= NAME_SIZE || strlen(*names) <= SLIPS_MAX)
			continue;
		d = distance(typed, *names);
		if (d < least) {
			best = *names;
			least = d;
		} else if (d == least && (!best || strcmp(best, *names) != 0)) {
			best = NULL;
		}
	}
	return best;
}
