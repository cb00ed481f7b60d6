/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crypto/algorithm.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/checked.h"

static const struct {
	const char *kernel, *openssl;
	bool sized; /* has keys of 16, 24 and 32 bytes; else of 16 */
} ciphers[] = {
	{"aes", "AES", true},
	{"camellia", "CAMELLIA", true},
	{"aria", "ARIA", true},
	{"sm4", "SM4", false},
};

static const struct {
	const char *kernel, *openssl;
	size_t keys; /* keys of the block cipher that stand behind each other in one key */
} modes[] = {
	{"xts", "XTS", 2},
	{"cbc", "CBC", 1},
	{"ecb", "ECB", 1},
};

int algorithm_fetch(const char *cipher, const char *mode, size_t key_size, EVP_CIPHER **ret)
{
	char name[32];
	size_t c, m, size;
	EVP_CIPHER *evp;

	for (c = 0; c < ARRAY_SIZE(ciphers); c++)
		if (strcmp(cipher, ciphers[c].kernel) == 0)
			break;
	for (m = 0; m < ARRAY_SIZE(modes); m++)
		if (strcmp(mode, modes[m].kernel) == 0)
			break;
	if (c == ARRAY_SIZE(ciphers) || m == ARRAY_SIZE(modes))
		return -EOPNOTSUPP;

	size = key_size / modes[m].keys;
	if (key_size % modes[m].keys ||
	    !(size == 16 || (ciphers[c].sized && (size == 24 || size == 32))))
		return -EINVAL;
	if (ciphers[c].sized)
		(void)snprintf(name, sizeof(name), "%s-%zu-%s", ciphers[c].openssl, size * 8,
			       modes[m].openssl);
	else
		(void)snprintf(name, sizeof(name), "%s-%s", ciphers[c].openssl, modes[m].openssl);

	evp = EVP_CIPHER_fetch(NULL, name, NULL);
	if (!evp)
		return -EOPNOTSUPP;
	*ret = evp;
	return 0;
}
