/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of files and ciphers, texts that are cut and shown, and JSON that is written anew. */
#include <json-c/json.h>
#include <string.h>

#include "crypto/cipher-spec.h"
#include "fuzz.h"
#include "luks/json-text.h"
#include "util/path-text.h"
#include "util/text.h"

/* Nothing that is a path changes on its way over the bus or through the state file. */
static void check_path(const char *path)
{
	char *text = path_to_text(path), *back = NULL;

	REQUIRE(text && text_is_valid(text) && !strchr(text, '\n'));
	if (*path == '/' && strlen(path) < 4096)
		REQUIRE(path_from_text(text, &back) == 0 && strcmp(back, path) == 0);
	free(back);
	free(text);
	back = NULL;
	if (path_from_text(path, &back) == 0)
		REQUIRE(*back == '/');
	free(back);
}

static void check_shown(const char *text, size_t size)
{
	char cut[64], *masked = text_masked(text);

	(void)text_copy(cut, size % sizeof(cut) + 1, text);
	REQUIRE(text_is_valid(cut) && strlen(cut) <= size % sizeof(cut));
	REQUIRE(masked && text_is_valid(masked) && strlen(masked) <= strlen(text));
	for (const char *c = masked; *c; c++)
		REQUIRE((unsigned char)*c >= ' ' && *c != '\x7f');
	free(masked);
}

/* Ours is what json-c prints. */
static void check_json(const char *text)
{
	json_object *o = json_tokener_parse(text);
	const char *theirs;
	size_t size, written = 0;
	char *ours;

	if (!o)
		return;
	theirs = json_object_to_json_string_length(
		o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
	REQUIRE(theirs);
	ours = malloc(size + 1);
	REQUIRE(ours && json_text_write(o, ours, size, &written) == 0);
	REQUIRE(written == size && memcmp(ours, theirs, size) == 0);
	free(ours);
	ours = text_json(theirs);
	REQUIRE(ours && text_is_valid(ours));
	free(ours);
	(void)json_object_put(o);
}

/* A whole name stays as it is, and names the same cipher. */
static void check_cipher(const char *text)
{
	char whole[CIPHER_SPEC_MAX], again[CIPHER_SPEC_MAX], small[8];

	if (cipher_spec_complete(text, small, sizeof(small)) == 0)
		REQUIRE(strlen(small) < sizeof(small));
	if (cipher_spec_complete(text, whole, sizeof(whole)) < 0)
		return;
	REQUIRE(cipher_spec_complete(whole, again, sizeof(again)) == 0);
	REQUIRE(strcmp(whole, again) == 0);
	REQUIRE(cipher_spec_same(text, whole));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	char *text = fuzz_take_text(&in, size);

	check_path(text);
	check_shown(text, size);
	check_json(text);
	check_cipher(text);
	free(text);
	return 0;
}
