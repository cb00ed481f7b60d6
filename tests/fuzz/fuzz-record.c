/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The state token: what is understood of it is written and understood again as it was. */
#include <json-c/json.h>

#include "daemon/state/record.h"
#include "fuzz.h"

static void require_same(const char *a, const char *b)
{
	json_object *first = json_tokener_parse(a), *second = json_tokener_parse(b);

	REQUIRE(first && json_object_equal(first, second));
	(void)json_object_put(first);
	(void)json_object_put(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	char *text = fuzz_take_text(&in, size), *first = NULL, *second = NULL;
	struct record r, again;

	if (record_parse(text, &r) == 0 && record_format(&r, text, &first) == 0) {
		REQUIRE(record_parse(first, &again) == 0);
		REQUIRE(record_format(&again, first, &second) == 0);
		require_same(first, second);
		REQUIRE(again.n_keys == r.n_keys && again.cancel == r.cancel);
	}
	free(first);
	free(second);
	free(text);
	return 0;
}
