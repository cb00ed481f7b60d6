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

/* CIPHER-MODE[-IV] */
static int parse_usual(const char *text, struct cipher_spec *ret)
{
	struct cipher_spec s = {0};
	int r = take_part(&text, s.cipher, sizeof(s.cipher));

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

/* The usual name for what follows "capi:". The kernel makes the same of both. */
static int usual_name(const char *text, char *ret, size_t size)
{
	char mode[32], cipher[32], rest[64];
	int end = 0, n;

	/* The order of the tries: "essiv" would pass for a mode. */
	if (sscanf(text, "essiv(%31[a-z0-9_](%31[a-z0-9_]),%31[a-z0-9_])-plain64%n", mode, cipher,
		   rest, &end) == 3 &&
	    end > 0 && text[end] == '\0')
		n = snprintf(ret, size, "%s-%s-essiv:%s", cipher, mode, rest);
	else if (sscanf(text, "%31[a-z0-9_](%31[a-z0-9_,])-%63s", mode, cipher, rest) == 3 &&
		 strcmp(mode, "essiv") != 0)
		/* ECB takes no IV: dm-crypt drops the one that is named here. */
		n = strcmp(mode, "ecb") == 0 ? snprintf(ret, size, "%s-ecb", cipher)
					     : snprintf(ret, size, "%s-%s-%s", cipher, mode, rest);
	else
		return -EOPNOTSUPP;
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int cipher_spec_parse(const char *text, struct cipher_spec *ret)
{
	char usual[CIPHER_SPEC_MAX];
	int r;

	if (strncmp(text, CAPI_PREFIX, strlen(CAPI_PREFIX)) != 0)
		return parse_usual(text, ret);
	r = usual_name(text + strlen(CAPI_PREFIX), usual, sizeof(usual));
	return r < 0 ? -EOPNOTSUPP : parse_usual(usual, ret);
}

int cipher_spec_complete(const char *given, char *ret, size_t size)
{
	const char *dash = strchr(given, '-');
	int n;

	if (strncmp(given, CAPI_PREFIX, strlen(CAPI_PREFIX)) == 0) {
		int r = usual_name(given + strlen(CAPI_PREFIX), ret, size);

		if (r != -EOPNOTSUPP)
			return r;
		n = snprintf(ret, size, "%s", given);
	} else if (strcmp(given, "null") == 0 || strcmp(given, CIPHER_NULL) == 0) {
		n = snprintf(ret, size, "%s", CIPHER_NULL "-ecb");
	} else if (!dash || strcmp(dash, "-plain") == 0) {
		n = snprintf(ret, size, "%.*s-cbc-plain", (int)strcspn(given, "-"), given);
	} else {
		n = snprintf(ret, size, "%s", given);
	}
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

bool cipher_spec_same(const char *a, const char *b)
{
	char whole_a[CIPHER_SPEC_MAX], whole_b[CIPHER_SPEC_MAX];

	if (cipher_spec_complete(a, whole_a, sizeof(whole_a)) < 0 ||
	    cipher_spec_complete(b, whole_b, sizeof(whole_b)) < 0)
		return strcmp(a, b) == 0;
	return strcmp(whole_a, whole_b) == 0;
}

bool cipher_is_null(const char *spec)
{
	const size_t n = strlen(CIPHER_NULL);

	if (strncmp(spec, CAPI_PREFIX, strlen(CAPI_PREFIX)) == 0)
		return strstr(spec, "(" CIPHER_NULL ")");
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
