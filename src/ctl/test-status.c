/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The status as text and JSON, of made-up states and of volumes in image files. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ctl/status-format.h"
#include "ctl/status.h"
#include "luks/header.h"
#include "luks/reencrypt.h"
#include "luks/test-image.h"
#include "util/log.h"

/* 96 of 256 MiB are done, backward; the hotzone is the 16 MiB before the edge at 160 MiB. */
static struct status hot_backward(void)
{
	return (struct status){
		.device = "/dev/sdx1",
		.name = "vol",
		.table = STATUS_TABLE_STACK,
		.luks =
			{
				.uuid = "00000000-1111-2222-3333-444444444444",
				.label = "data",
				.only_us = true,
				.bytes_done = 96 << 20,
				.bytes_left = 160 << 20,
				.reenc =
					{
						.state = LUKS_REENC_HOT,
						.old_side = {.crypt = true,
							     .cipher = "aes-cbc-essiv:sha256",
							     .sector_size = 512},
						.new_side = {.crypt = true,
							     .cipher = "aes-xts-plain64",
							     .sector_size = 4096},
						.data_offset = 16 << 20,
						.data_size = 256 << 20,
						.mode = LUKS_REENCRYPT,
						.direction = LUKS_BACKWARD,
						.resilience = LUKS_RESILIENCE_CHECKSUM,
						.hash = "sha256",
						.block_size = 4096,
						.area_size = 131072,
						.boundary = 160 << 20,
						.hot_size = 16 << 20,
					},
			},
	};
}

static char *text_of(const struct status *s)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	assert_int_equal(status_format_text(s, f), 0);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void a_hot_volume_reads_so(void **state)
{
	struct status s = hot_backward();
	char *text = text_of(&s);

	(void)state;
	assert_string_equal(
		text,
		"Device:       /dev/sdx1\n"
		"UUID:         00000000-1111-2222-3333-444444444444\n"
		"Open as:      vol; a worker's devices are under it\n"
		"State:        hot\n"
		"Mode:         reencrypt, backward\n"
		"Resilience:   checksum, sha256 of blocks of 4096 bytes\n"
		"Old:          aes-cbc-essiv:sha256, sectors of 512 bytes\n"
		"New:          aes-xts-plain64, sectors of 4096 bytes\n"
		"Done:         100663296 bytes (37.5%)\n"
		"Left:         167772160 bytes\n"
		"Hotzone:      16777216 bytes at 150994944\n"
		"Next:         recryptctl recover, or reencrypt to continue\n"
		"Warning:      finish it with recryptctl only: cryptsetup reencrypt or repair "
		"could destroy data\n");
	free(text);
}

static void json_has_the_documented_keys_and_numbers(void **state)
{
	struct status s = hot_backward();
	json_object *o = NULL;

	(void)state;
	assert_int_equal(status_format_json(&s, &o), 0);
	assert_json(o, "/device", "\"/dev/sdx1\"");
	assert_json(o, "/header", "null");
	assert_json(o, "/uuid", "\"00000000-1111-2222-3333-444444444444\"");
	assert_json(o, "/label", "\"data\"");
	assert_json(o, "/active", "{\"name\":\"vol\",\"table\":\"stack\"}");
	assert_json(o, "/state", "\"hot\"");
	assert_json(o, "/data_offset", "16777216");
	assert_json(o, "/data_size", "268435456");
	assert_json(o, "/fixed_size", "null");
	assert_json(o, "/header_copy_bad", "false");
	assert_json(o, "/only_recryptctl", "true");
	assert_json(o, "/only_cryptsetup", "false");
	assert_json(o, "/mode", "\"reencrypt\"");
	assert_json(o, "/direction", "\"backward\"");
	assert_json(o, "/keep_key", "false");
	assert_json(o, "/resilience",
		    "{\"type\":\"checksum\",\"hash\":\"sha256\",\"block_size\":4096,"
		    "\"area_size\":131072}");
	assert_json(o, "/old", "{\"cipher\":\"aes-cbc-essiv:sha256\",\"sector_size\":512}");
	assert_json(o, "/new", "{\"cipher\":\"aes-xts-plain64\",\"sector_size\":4096}");
	assert_json(o, "/bytes_done", "100663296");
	assert_json(o, "/bytes_left", "167772160");
	assert_json(o, "/hotzone", "{\"offset\":150994944,\"size\":16777216}");
	json_object_put(o);
}

static void other_states_have_their_own_lines(void **state)
{
	struct status s = hot_backward();
	char *text;

	(void)state;
	s.luks.reenc.state = LUKS_REENC_FINISH;
	s.luks.reenc.hot_size = 0;
	s.table = STATUS_TABLE_DIFFERS;
	s.luks.copy_bad = true;
	text = text_of(&s);
	assert_non_null(strstr(text, "State:        needs finishing\n"));
	assert_non_null(strstr(text, "vol; its table DIFFERS from the header\n"));
	free(text);
	s.luks.reenc.state = LUKS_REENC_NONE;
	s.table = STATUS_TABLE_SIZE;
	s.active_size = 100 << 20;
	s.data_size = 256 << 20;
	text = text_of(&s);
	assert_non_null(strstr(text, "vol; its table agrees with the header but for its size\n"
				     "Open size:    104857600 bytes, and the data are 268435456; "
				     "cryptsetup resize vol opens the rest\n"));
	free(text);
	s.luks.reenc.state = LUKS_REENC_FINISH;
	text = text_of(&s);
	assert_non_null(strstr(text, "Next:         recryptctl reencrypt continues it\n"));
	assert_non_null(strstr(text, "one copy of the header is bad"));
	assert_null(strstr(text, "Hotzone:"));
	free(text);

	s = hot_backward();
	s.luks.only_us = false;
	s.luks.only_cryptsetup = true;
	s.luks.reenc.mode = LUKS_ENCRYPT;
	s.luks.reenc.old_side.crypt = false;
	s.luks.reenc.resilience = LUKS_RESILIENCE_DATASHIFT;
	s.luks.reenc.hash[0] = '\0';
	s.name = NULL;
	text = text_of(&s);
	assert_non_null(strstr(text, "Mode:         encrypt, backward\n"));
	assert_non_null(strstr(text, "Old:          (plaintext), sectors"));
	assert_non_null(strstr(text, "Resilience:   datashift\n"));
	assert_non_null(strstr(text, "Next:         cryptsetup reencrypt --resume-only; recryptctl "
				     "cannot\n"));
	assert_null(strstr(text, "Open as:"));
	free(text);
}

/* What `recryptctl status --json` says of the image. */
static json_object *status_of(const char *header)
{
	const struct options o = {.verb = VERB_STATUS,
				  .target = {.device = image, .header = header},
				  .output.json = JSON_SHORT};
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	json_object *root;

	assert_non_null(f);
	assert_int_equal(status_print(&o, NULL, f), 0);
	assert_int_equal(fclose(f), 0);
	root = json_tokener_parse(text);
	free(text);
	assert_non_null(root);
	return root;
}

/* Moves the header on as a worker does: @boundary and @hot_size in bytes. */
static void set_position(uint64_t boundary, uint64_t hot_size)
{
	_cleanup_(meta_io_freep) struct meta_io *io = NULL;
	_cleanup_(luks_header_freep) struct luks_header *h = NULL;
	struct luks_reenc r;
	int fd = open(image, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(meta_io_file_new(fd, image, &io), 0);
	assert_int_equal(luks_header_read(io, &h, NULL), 0);
	assert_int_equal(luks_reenc_load(h, io->size, 0, 4096, &r, NULL), 0);
	assert_int_equal(luks_reenc_set_position(h, &r, boundary, hot_size), 0);
	assert_int_equal(luks_header_commit(h, io, NULL), 0);
	assert_int_equal(luks_header_flush(h, io), 0);
}

static void the_way_of_a_volume_is_told(void **state)
{
	json_object *o;

	(void)state;
	image_format("--label x");
	o = status_of(NULL);
	assert_json(o, "/state", "\"none\"");
	assert_json(o, "/label", "\"x\"");
	assert_json(o, "/current", "{\"cipher\":\"aes-xts-plain64\",\"sector_size\":4096}");
	assert_json(o, "/data_size", "8388608");
	assert_json(o, "/active", "null");
	json_object_put(o);

	must_run("cryptsetup reencrypt -q --init-only --force-offline-reencrypt "
		 "--resilience journal --key-file pass-a image");
	o = status_of(NULL);
	assert_json(o, "/state", "\"clean\"");
	assert_json(o, "/direction", "\"forward\"");
	assert_json(o, "/resilience/type", "\"journal\"");
	assert_json(o, "/bytes_done", "0");
	assert_json(o, "/bytes_left", "8388608");
	json_object_put(o);

	set_position(1 << 20, 0);
	set_position(1 << 20, 4096);
	o = status_of(NULL);
	assert_json(o, "/state", "\"hot\"");
	assert_json(o, "/bytes_done", "1048576");
	assert_json(o, "/bytes_left", "7340032");
	assert_json(o, "/hotzone", "{\"offset\":1048576,\"size\":4096}");
	json_object_put(o);
}

static void a_bad_copy_is_told_and_left_alone(void **state)
{
	json_object *o;

	(void)state;
	image_format("--label x");
	must_run("printf x | dd of=image bs=1 seek=5000 conv=notrunc; cp image before");
	o = status_of(NULL);
	assert_json(o, "/header_copy_bad", "true");
	json_object_put(o);
	must_run("cmp image before");
}

static void a_detached_encryption_is_left_to_cryptsetup(void **state)
{
	char header[80];
	json_object *o;

	(void)state;
	(void)snprintf(header, sizeof(header), "%s/header", image_dir);
	must_run("rm -f image; truncate -s 24M image; printf a >key;"
		 "cryptsetup reencrypt -q --encrypt --init-only " FAST_PBKDF
		 "--force-offline-reencrypt --header header --key-file key image");
	o = status_of(header);
	assert_json(o, "/mode", "\"encrypt\"");
	assert_json(o, "/only_cryptsetup", "true");
	assert_json(o, "/old/cipher", "null");
	json_object_put(o);
}

static void what_is_no_volume_is_refused(void **state)
{
	struct options o = {.verb = VERB_STATUS, .target.device = image};

	(void)state;
	must_run("rm -f image; truncate -s 24M image");
	assert_int_equal(status_print(&o, NULL, stdout), -ENOENT);
	o.target.device = "/tmp/no-such-image";
	assert_int_equal(status_print(&o, NULL, stdout), -ENODEV);
	o.target.device = "/dev/null";
	assert_int_equal(status_print(&o, NULL, stdout), -ENOTBLK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hot_volume_reads_so),
		cmocka_unit_test(json_has_the_documented_keys_and_numbers),
		cmocka_unit_test(other_states_have_their_own_lines),
		cmocka_unit_test(the_way_of_a_volume_is_told),
		cmocka_unit_test(a_bad_copy_is_told_and_left_alone),
		cmocka_unit_test(a_detached_encryption_is_left_to_cryptsetup),
		cmocka_unit_test(what_is_no_volume_is_refused),
	};

	if (!image_is_possible())
		return 77;
	log_init("test-status", LOG_NOTICE);
	return cmocka_run_group_tests(tests, image_setup, image_teardown);
}
