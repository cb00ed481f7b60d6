/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calendar expressions and windows, as an operator or somebody else wrote them. */
#include <string.h>

#include "daemon/policy/calendar.h"
#include "daemon/state/config.h"
#include "daemon/policy/window.h"
#include "fuzz.h"
#include "util/uuid.h"

#define NOW  UINT64_C(1790000000000000) /* 2026-09-21 */
#define HOUR UINT64_C(3600000000)

static void follow(const struct calendar *c)
{
	uint64_t at = NOW;

	for (int i = 0; i < 3; i++) {
		const uint64_t next = calendar_next(c, at);

		REQUIRE(next > at);
		if (next == CALENDAR_NEVER)
			return;
		(void)calendar_add(c, next, HOUR);
		at = next;
	}
}

static void judge(const struct window *w)
{
	uint64_t change, inside, after;
	const bool open = windows_open(w, 1, NOW, &change);

	REQUIRE(change > NOW);
	inside = windows_inside(w, 1, NOW, NOW + 48 * HOUR);
	REQUIRE(inside <= 48 * HOUR);
	after = windows_after(w, 1, NOW, HOUR);
	REQUIRE(after >= NOW + HOUR);
	REQUIRE(!open || inside > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	char *text = fuzz_take_text(&in, 256);
	struct calendar c;
	struct window w;
	uint64_t number;
	bool truth;
	char uuid[UUID_TEXT_SIZE];

	if (calendar_parse(text, &c) == 0)
		follow(&c);
	if (window_parse(text, &w) == 0)
		judge(&w);
	(void)config_parse_bytes(text, &number);
	(void)config_parse_usec(text, &number);
	(void)config_parse_bool(text, &truth);
	if (uuid_canonical(text, uuid) == 0)
		REQUIRE(strlen(uuid) == 36);
	free(text);
	return 0;
}
