/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crypto/cipher-spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* dm-crypt's other notation, in the names of the kernel's crypto API: "capi:xts(aes)-plain64". */
#define CAPI_PREFIX "capi:"

#define CIPHER_NULL "cipher_null"

/*
 * What the kernel takes beside letters and digits: "xchacha12,aes" names two ciphers of which
 * adiantum is made, and "aes:64" has 64 keys.
 */
static bool is_name(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("_,:", text[i]))
			return false;
	return n > 0;
}

/* Moves *text behind the part that ends at a dash or with the text. */
static int take_part(const char **text, char *part, size_t size)
{
	const size_t n = strcspn(*text, "-");

	if (n >= size || !is_name(*text, n))
		return -EINVAL;
	memcpy(part, *text, n);
	part[n] = '\0';
	*text += n;
	return 0;
}

int cipher_spec_parse(const char *text, struct cipher_spec *ret)
{
	struct cipher_spec s = {0};
	int r;

	if (strncmp(text, CAPI_PREFIX, strlen(CAPI_PREFIX)) == 0)
		return -EOPNOTSUPP;
	r = take_part(&text, s.cipher, sizeof(s.cipher));
	if (r < 0)
		return r;
	if (*text++ != '-')
		return -EINVAL;
	r = take_part(&text, s.mode, sizeof(s.mode));
	if (r < 0)
		return r;
	if (*text == '-') {
		const size_t n = strlen(++text);

		if (n == 0 || n >= sizeof(s.iv))
			return -EINVAL;
		memcpy(s.iv, text, n);
	} else if (strcmp(s.mode, "ecb") != 0) {
		return -EINVAL;
	}
	*ret = s;
	return 0;
}

bool cipher_is_null(const char *spec)
{
	const size_t n = strlen(CIPHER_NULL);

	return strncmp(spec, CIPHER_NULL, n) == 0 && (spec[n] == '-' || spec[n] == '\0');
}

bool cipher_tells_unwritten(const char *spec)
{
	struct cipher_spec s;

	return cipher_spec_parse(spec, &s) == 0 && !cipher_is_null(spec) &&
	       (strcmp(s.mode, "xts") == 0 || strcmp(s.mode, "cbc") == 0) &&
	       (strncmp(s.iv, "plain", strlen("plain")) == 0 ||
		strncmp(s.iv, "essiv:", strlen("essiv:")) == 0);
}
