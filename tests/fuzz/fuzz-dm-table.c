/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A target of a device-mapper table as the kernel shows it: "START SIZE TYPE PARAMETERS". */
#include <string.h>

#include "dm/table.h"
#include "fuzz.h"

static void check(const char *type, const char *params)
{
	struct target t, again;
	char text[4096], next[4096];

	if (target_parse(0, 8, type, params, &t) < 0 || t.type == TARGET_OTHER)
		return;
	if (target_format(&t, text, sizeof(text)) < 0)
		return;
	REQUIRE(target_parse(0, 8, target_type_name(t.type), text, &again) == 0);
	REQUIRE(again.device == t.device && again.offset == t.offset && again.flags == t.flags);
	REQUIRE(target_format(&again, next, sizeof(next)) == 0);
	REQUIRE(strcmp(text, next) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = {"crypt", "linear", "error", "thin"};
	struct fuzz_input in = {data, size};
	const char *type = types[fuzz_take(&in, 1) % 4];
	char *params = fuzz_take_text(&in, in.size);

	check(type, params);
	free(params);
	return 0;
}
