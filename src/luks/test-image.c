/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/test-image.h"

#include <fcntl.h>
#include <json-c/json_pointer.h>
#include <libcryptsetup.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "luks/context.h"
#include "util/cleanup.h"

char image_dir[] = "/tmp/test-image-XXXXXX";
char image[sizeof(image_dir) + sizeof("/image")];
struct luks_place image_place = LUKS_PLACE_NONE;

bool image_is_possible(void)
{
	if (geteuid() == 0)
		return true;
	(void)fputs("needs root for cryptsetup's lock directory: skipped\n", stderr);
	return false;
}

int image_setup(void **state)
{
	(void)state;
	if (!mkdtemp(image_dir))
		return -1;
	(void)snprintf(image, sizeof(image), "%s/image", image_dir);
	return 0;
}

int image_teardown(void **state)
{
	char command[64];

	(void)state;
	luks_place_clear(&image_place);
	(void)snprintf(command, sizeof(command), "rm -rf %s", image_dir);
	return system(command) == 0 ? 0 : -1;
}

/* Leaves the command in @command, for the message where it fails. */
__attribute__((format(printf, 2, 0))) static int run(char command[static 1024], const char *format,
						     va_list ap)
{
	char line[1280];
	int status;

	assert_true(vsnprintf(command, 1024, format, ap) < 1024);
	(void)snprintf(line, sizeof(line), "cd %s && { %s; } >said 2>&1", image_dir, command);
	status = system(line);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

int shell(const char *format, ...)
{
	char command[1024];
	va_list ap;
	int code;

	va_start(ap, format);
	code = run(command, format, ap);
	va_end(ap);
	return code;
}

void must_run(const char *format, ...)
{
	char command[1024], show[64];
	va_list ap;
	int code;

	va_start(ap, format);
	code = run(command, format, ap);
	va_end(ap);
	if (code == 0)
		return;
	(void)snprintf(show, sizeof(show), "cat %s/said >&2", image_dir);
	(void)system(show);
	fail_msg("exit code %d of: %s", code, command);
}

void image_format(const char *options)
{
	must_run("rm -f image; truncate -s 24M image;"
		 "printf a >pass-a; printf b >pass-b; printf c >pass-c;"
		 "cryptsetup luksFormat -q --type luks2 " FAST_PBKDF "%s image pass-a",
		 options);
	luks_place_clear(&image_place);
	assert_int_equal(luks_place_find(image, NULL, &image_place), 0);
}

void image_hash(uint8_t digest[static 32])
{
	_cleanup_close_ int fd = open(image, O_RDONLY | O_CLOEXEC);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	uint8_t buf[65536];
	ssize_t n;

	assert_true(fd >= 0);
	assert_non_null(c);
	assert_int_equal(EVP_DigestInit_ex(c, EVP_sha256(), NULL), 1);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		assert_int_equal(EVP_DigestUpdate(c, buf, (size_t)n), 1);
	assert_int_equal(n, 0);
	assert_int_equal(EVP_DigestFinal_ex(c, digest, NULL), 1);
	EVP_MD_CTX_free(c);
}

json_object *image_json(void)
{
	_cleanup_(luks_context_closep) struct crypt_device *cd = NULL;
	const char *text;
	json_object *root;

	assert_int_equal(luks_context_open(&image_place, &cd), 0);
	assert_int_equal(crypt_dump_json(cd, &text, 0), 0);
	root = json_tokener_parse(text);
	assert_non_null(root);
	return root;
}

void assert_json(json_object *root, const char *pointer, const char *expected)
{
	json_object *o;

	if (json_pointer_get(root, pointer, &o) < 0)
		fail_msg("there is no %s", pointer);
	assert_string_equal(json_object_to_json_string_ext(
				    o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
			    expected);
}
