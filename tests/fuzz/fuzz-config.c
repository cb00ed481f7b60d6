/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The configuration and the state file. */
#include "daemon/state/config.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file(data, size);
	struct config *c = NULL;

	if (config_load(path, "/nonexistent", &c) == 0) {
		for (size_t i = 0; i < c->n_volumes; i++)
			REQUIRE(config_find_volume(c, c->volumes[i].uuid));
		(void)config_rate_limit(c);
		(void)config_free(c);
	}
	if (config_load("/nonexistent", path, &c) == 0)
		(void)config_free(c);
	return 0;
}
