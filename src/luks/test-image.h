/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * For tests on real LUKS2 volumes: an image file in a private directory, which the installed
 * cryptsetup makes, works on and judges. Needs root, as the lock directory of cryptsetup does.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "luks/place.h"

#define FAST_PBKDF "--pbkdf pbkdf2 --pbkdf-force-iterations 1000 "

/* The directory and the image in it; set while the group of tests runs. */
extern char image_dir[], image[];

/* Where the image is, as of the last image_format(). */
extern struct luks_place image_place;

/* Is this root? Says so where not: the test is then to be skipped. */
bool image_is_possible(void);

/* Set-up and teardown of a group of tests: the directory comes and goes. */
int image_setup(void **state);
int image_teardown(void **state);

/* The exit code of a shell command that runs in the directory; its messages go to "said" there. */
int shell(const char *format, ...) __attribute__((format(printf, 1, 2), warn_unused_result));

/* Must succeed; otherwise shows what it said and fails the test. */
void must_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * A volume of 24 MiB, 8 of them data where @options say nothing else, and key files "pass-a" to
 * "pass-c" that hold one letter each. "a" opens keyslot 0.
 */
void image_format(const char *options);

/* SHA-256 of the whole image. */
void image_hash(uint8_t digest[static 32]);

/* The metadata in its header; the caller's to put. */
json_object *image_json(void);

/* What stands at @pointer (RFC 6901) has the compact text @expected. */
void assert_json(json_object *root, const char *pointer, const char *expected);
