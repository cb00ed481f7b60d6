/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/policy/unit-text.h"

#include <inttypes.h>
#include <stdio.h>

#include "util/checked.h"

struct unit_text unit_bytes(uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	struct unit_text t;
	double n = (double)bytes;
	size_t i = 0;

	while (n >= 1023.95 && i < ARRAY_SIZE(units) - 1) {
		n /= 1024;
		i++;
	}
	(void)snprintf(t.text, sizeof(t.text), i == 0 || n >= 99.95 ? "%.0f %s" : "%.1f %s", n,
		       units[i]);
	return t;
}

/* @n of the larger unit, and what is left of it, in the smaller. */
static void print_two(struct unit_text *t, uint64_t n, const char *unit, uint64_t left,
		      const char *smaller)
{
	if (left > 0)
		(void)snprintf(t->text, sizeof(t->text), "%" PRIu64 " %s %" PRIu64 " %s", n, unit,
			       left, smaller);
	else
		(void)snprintf(t->text, sizeof(t->text), "%" PRIu64 " %s", n, unit);
}

struct unit_text unit_usec(uint64_t usec)
{
	const uint64_t s = usec / 1000000;
	struct unit_text t;

	if (s < 10)
		(void)snprintf(t.text, sizeof(t.text), "%" PRIu64 ".%" PRIu64 " s", s,
			       usec / 100000 % 10);
	else if (s < 60)
		(void)snprintf(t.text, sizeof(t.text), "%" PRIu64 " s", s);
	else if (s < 3600)
		print_two(&t, s / 60, "min", s % 60, "s");
	else if (s < 86400)
		print_two(&t, s / 3600, "h", s / 60 % 60, "min");
	else
		print_two(&t, s / 86400, "d", s / 3600 % 24, "h");
	return t;
}
