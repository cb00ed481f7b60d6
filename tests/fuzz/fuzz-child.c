/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the processes say that ask key providers and derive keys: a token's plugin works in the one,
 * and libcryptsetup on a header of somebody else in both.
 */
#include "fuzz.h"
#include "luks/derive-job.h"
#include "worker/provider.h"

static void read_provider(const struct secret *said)
{
	struct provider_answer a = {.n = 0};

	(void)provider_take_answer(said, &a);
	for (unsigned i = 0; i < a.n; i++)
		REQUIRE(a.passphrase[i] && a.passphrase[i]->size <= said->size);
	provider_answer_clear(&a);
}

static void read_derivation(const struct secret *said)
{
	struct derive_reader r = {.s = said};
	struct derive_frame f;
	const uint8_t *data;

	while (derive_get_frame(&r, &f, &data) > 0)
		REQUIRE(data >= said->data && f.size <= said->size &&
			data + f.size <= said->data + said->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct secret *said = NULL;

	if (size < 2 || secret_copy(data + 1, size - 1, &said) < 0)
		return 0;
	if (*data & 1)
		read_provider(said);
	else
		read_derivation(said);
	secret_free(said);
	return 0;
}
