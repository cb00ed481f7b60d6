/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crypttab(5). */
#include <stdlib.h>
#include <string.h>

#include "daemon/control/crypttab.h"
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
	char *text = malloc(size + 1);
	size_t n = 0;

	REQUIRE(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	(void)crypttab_parse(text, size, see, &n);
	free(text);
	return 0;
}
