/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crypttab(5). */
#include <string.h>

#include "daemon/crypttab.h"
#include "fuzz.h"

static int see(const struct crypttab_entry *e, void *userdata)
{
	size_t *n = userdata;

	REQUIRE(e->name && *e->name && e->device && *e->device == '/');
	REQUIRE(!e->header || *e->header == '/');
	return ++*n > 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = 0;

	(void)crypttab_read(fuzz_file(data, size), see, &n);
	return 0;
}
