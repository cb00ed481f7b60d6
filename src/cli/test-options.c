/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line: every option, every unit, every refusal and contradiction, and the exit codes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/checked.h"
#include "util/cleanup.h"
#include "util/exit-code.h"
#include "util/error.h"
#include "util/log.h"
#include "cli/options-table.h"
#include "cli/program.h"
#include "model/settings.h"

#define MAX_ARGS 40

/* Splits @line at its spaces; what is printed on standard error ends up in @message. */
static int parse(const char *line, struct options *ret, char *message, size_t size)
{
	static char copy[2048];
	char *argv[MAX_ARGS], *save = NULL;
	int argc = 0, fds[2], saved, r;
	ssize_t n;

	assert_true(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		assert_true(argc < MAX_ARGS - 1);
		argv[argc++] = w;
	}
	argv[argc] = NULL;

	assert_int_equal(pipe(fds), 0);
	saved = dup(STDERR_FILENO);
	assert_true(saved >= 0);
	assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
	r = options_parse(argc, argv, ret);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	close(fds[1]);
	n = read(fds[0], message, size - 1);
	assert_true(n >= 0);
	message[n] = '\0';
	close(fds[0]);
	return r;
}

static void parse_good(const char *line, struct options *ret)
{
	char message[512];
	int r = parse(line, ret, message, sizeof(message));

	if (r < 0)
		fail_msg("\"%s\" was refused: %s", line, message);
	assert_string_equal(message, "");
}

/* Refused with @error, in one line that contains @text. */
static void assert_refused(const char *line, int error, const char *text)
{
	struct options o;
	char message[512], *newline;
	int r = parse(line, &o, message, sizeof(message));

	if (r != error)
		fail_msg("\"%s\" gave %d, not %d: %s", line, r, error, message);
	if (!strstr(message, text))
		fail_msg("\"%s\" said \"%s\", without \"%s\"", line, message, text);
	newline = strchr(message, '\n');
	assert_non_null(newline);
	assert_string_equal(newline, "\n");
}

static void defaults_stand_where_nothing_is_given(void **state)
{
	struct options o;

	(void)state;
	parse_good("recryptctl reencrypt /dev/x", &o);
	assert_int_equal(o.verb, VERB_REENCRYPT);
	assert_string_equal(o.target.device, "/dev/x");
	assert_int_equal(o.rotation.keyslot, -1);
	assert_int_equal(o.keys.tries, 3);
	assert_string_equal(o.rotation.resilience, "");
	assert_string_equal(o.rotation.cipher, "");
	assert_int_equal(o.pace.hotzone_size, 0);
	assert_false(o.rotation.keep_key);
	assert_true(o.rotation.may_weaken);
}

static void every_option_reaches_its_field(void **state)
{
	struct options o;

	(void)state;
	parse_good("recryptctl reencrypt --foreground --key-file k --keyfile-size 32 "
		   "--keyfile-offset 7 --key-slot 0 --volume-key-file v --new-volume-key-file n "
		   "--key-size 512 --cipher aes-xts-plain64 --sector-size 4096 "
		   "--resilience journal --resilience-hash sha512 --hotzone-size 16M "
		   "--device-size 1G --header h --active-name a --init-only --threads 3",
		   &o);
	assert_int_equal(o.pace.threads, 3);
	assert_true(o.foreground);
	assert_string_equal(o.keys.key_file, "k");
	assert_int_equal(o.keys.keyfile_size, 32);
	assert_int_equal(o.keys.keyfile_offset, 7);
	assert_int_equal(o.rotation.keyslot, 0);
	assert_string_equal(o.keys.volume_key_file, "v");
	assert_string_equal(o.keys.new_volume_key_file, "n");
	assert_int_equal(o.rotation.key_size, 64); /* 512 bits */
	assert_string_equal(o.rotation.cipher, "aes-xts-plain64");
	assert_int_equal(o.rotation.sector_size, 4096);
	assert_string_equal(o.rotation.resilience, "journal");
	assert_string_equal(o.rotation.hash, "sha512");
	assert_int_equal(o.pace.hotzone_size, 16 << 20);
	assert_int_equal(o.target.device_size, 1 << 30);
	assert_string_equal(o.target.header, "h");
	assert_string_equal(o.target.active_name, "a");
	assert_null(o.target.device);
	assert_true(o.init_only);
	parse_good("recryptctl cancel img --governor latency --rate-min 64K --rate-max 3M "
		   "--latency-target 7",
		   &o);
	assert_string_equal(o.pace.governor, "latency");
	assert_int_equal(o.pace.rate_min, 65536);
	assert_int_equal(o.pace.rate_max, 3 << 20);
	assert_int_equal(o.pace.latency_target_ms, 7);
}

static void the_other_options_reach_their_fields(void **state)
{
	struct options o;

	(void)state;
	parse_good("recryptctl reencrypt /dev/x --pbkdf argon2id --pbkdf-force-iterations 4 "
		   "--pbkdf-memory 1024 --pbkdf-parallel 2 --hash sha256 --tries 5 --timeout 9 "
		   "--progress-frequency 2 --progress-json --batch-mode --verbose --debug "
		   "--force-offline-reencrypt --resume-only --resilience checksum",
		   &o);
	assert_string_equal(o.rotation.pbkdf, "argon2id");
	assert_int_equal(o.rotation.pbkdf_iterations, 4);
	assert_int_equal(o.rotation.pbkdf_memory_kib, 1024);
	assert_int_equal(o.rotation.pbkdf_parallel, 2);
	assert_string_equal(o.rotation.pbkdf_hash, "sha256");
	assert_int_equal(o.keys.tries, 5);
	assert_int_equal(o.keys.timeout, 9);
	assert_int_equal(o.output.progress_frequency, 2);
	assert_true(o.output.progress_json);
	assert_true(o.batch_mode);
	assert_true(o.output.verbose);
	assert_true(o.output.debug);
	assert_true(o.rotation.force_offline);
	assert_true(o.resume_only);
	assert_string_equal(o.rotation.resilience, "checksum");
}

static void newer_options_reach_their_fields(void **state)
{
	struct options o;

	(void)state;
	parse_good("recryptctl reencrypt img --type luks --token-id 31 --token-type t --token-only "
		   "--uuid 12345678-1234-1234-1234-123456789abc --volume-key-keyring %user:v "
		   "--new-volume-key-keyring n --key-description d --force-no-keyslots",
		   &o);
	assert_string_equal(o.target.type, "luks");
	assert_int_equal(o.keys.token_id, 31);
	assert_string_equal(o.keys.token_type, "t");
	assert_true(o.keys.token_only);
	assert_true(options_choose_tokens(&o));
	assert_string_equal(o.target.uuid, "12345678-1234-1234-1234-123456789abc");
	assert_string_equal(o.keys.volume_key_keyring, "%user:v");
	assert_string_equal(o.keys.new_volume_key_keyring, "n");
	assert_string_equal(o.keys.key_description, "d");
	assert_true(o.keys.no_keyslots);
	assert_false(o.trust_position);
	parse_good("recryptctl cancel img --resilience journal --trust-position", &o);
	assert_true(o.trust_position);
	parse_good("recryptctl reencrypt img --debug-json --master-key-file m", &o);
	assert_true(o.output.debug);
	assert_string_equal(o.keys.volume_key_file, "m");
	assert_false(options_choose_tokens(&o));
	parse_good("recryptctl reencrypt --usage", &o);
	assert_int_equal(o.verb, VERB_HELP);
}

/* --key-size alone is the new one's; as in cryptsetup 2.8 it is the current one's beside another.
 */
static void key_sizes_are_those_of_both_versions(void **state)
{
	struct options o;

	(void)state;
	parse_good("recryptctl reencrypt img --new-key-size 256", &o);
	assert_int_equal(o.rotation.key_size, 32);
	assert_int_equal(o.keys.old_key_size, 0);
	parse_good("recryptctl reencrypt img --key-size 512 --new-key-size 256", &o);
	assert_int_equal(o.rotation.key_size, 32);
	assert_int_equal(o.keys.old_key_size, 64);
}

static void short_letters_are_those_of_cryptsetup(void **state)
{
	struct options o;

	(void)state;
	parse_good("recryptctl reencrypt -d - -l 16 -S 31 -s 256 -c aes-xts-plain64 -i 100 -h sha1 "
		   "-T 1 -t 2 -q -v img",
		   &o);
	assert_string_equal(o.keys.key_file, "-");
	assert_int_equal(o.keys.keyfile_size, 16);
	assert_int_equal(o.rotation.keyslot, 31);
	assert_int_equal(o.rotation.key_size, 32);
	assert_string_equal(o.rotation.cipher, "aes-xts-plain64");
	assert_int_equal(o.rotation.pbkdf_time_ms, 100);
	assert_string_equal(o.rotation.pbkdf_hash, "sha1");
	assert_int_equal(o.keys.tries, 1);
	assert_int_equal(o.keys.timeout, 2);
	assert_true(o.batch_mode);
	assert_true(o.output.verbose);
	assert_string_equal(o.target.device, "img");
}

static void options_may_stand_behind_the_device(void **state)
{
	struct options o;

	(void)state;
	parse_good("recryptctl reencrypt img --keep-key --sector-size=4096", &o);
	assert_string_equal(o.target.device, "img");
	assert_true(o.rotation.keep_key);
	assert_int_equal(o.rotation.sector_size, 4096);
}

static void verbs_are_known_and_know_their_options(void **state)
{
	struct options o;

	(void)state;
	parse_good("recryptctl status vol --json", &o);
	assert_int_equal(o.verb, VERB_STATUS);
	assert_true(o.output.json);
	parse_good("recryptctl recover img --key-file k", &o);
	assert_int_equal(o.verb, VERB_RECOVER);
	parse_good("recryptctl cancel img --hotzone-size 1M --rate 2MB --progress-json", &o);
	assert_int_equal(o.pace.rate, 2000000);
	assert_int_equal(o.verb, VERB_CANCEL);
	parse_good("recryptctl --help", &o);
	assert_int_equal(o.verb, VERB_HELP);
	parse_good("recryptctl reencrypt --help", &o);
	assert_int_equal(o.verb, VERB_HELP);
	parse_good("recryptctl --version", &o);
	assert_int_equal(o.verb, VERB_VERSION);

	assert_refused("recryptctl", -EINVAL, "no verb");
	assert_refused("recryptctl rencrypt img", -EINVAL, "unknown verb \"rencrypt\"");
	assert_refused("recryptctl reencrypt img --json", -EINVAL, "has no option --json");
	assert_refused("recryptctl status img --key-file k", -EINVAL,
		       "status has no option --key-file; its options: recryptctl status --help");
	assert_refused("recryptctl recover img --cipher x", -EINVAL, "has no option --cipher");
	assert_refused("recryptctl cancel img --init-only", -EINVAL, "has no option --init-only");
}

/* Scripts for cryptsetup have options such as -q there. */
static void options_may_stand_before_the_verb(void **state)
{
	struct options o;

	(void)state;
	parse_good("recryptctl -q --key-file k reencrypt --init-only img -S 3", &o);
	assert_int_equal(o.verb, VERB_REENCRYPT);
	assert_string_equal(o.target.device, "img");
	assert_string_equal(o.keys.key_file, "k");
	assert_true(o.init_only);
	assert_true(o.batch_mode);
	assert_int_equal(o.rotation.keyslot, 3);
	parse_good("recryptctl --json=short status vol", &o);
	assert_int_equal(o.verb, VERB_STATUS);
	assert_string_equal(o.target.device, "vol");
	parse_good("recryptctl -q --help", &o);
	assert_int_equal(o.verb, VERB_HELP);

	assert_refused("recryptctl -q", -EINVAL, "no verb was given; see recryptctl --help");
	assert_refused("recryptctl -q rencrypt img", -EINVAL, "unknown verb \"rencrypt\"");
	assert_refused("recryptctl --nope reencrypt img", -EINVAL,
		       "unknown or ambiguous option \"--nope\"; see recryptctl --help");
	assert_refused("recryptctl --key-file", -EINVAL, "--key-file needs a value");
	assert_refused("recryptctl --json reencrypt img", -EINVAL, "has no option --json");
}

static void sizes_have_the_units_of_cryptsetup(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"0", 0},
		{"512", 512},
		{"8S", 4096},
		{"8s", 4096},
		{"1K", 1024},
		{"1k", 1024},
		{"1KiB", 1024},
		{"1KB", 1000},
		{"3M", UINT64_C(3) << 20},
		{"3MiB", UINT64_C(3) << 20},
		{"3MB", 3000000},
		{"2g", UINT64_C(2) << 30},
		{"2GB", UINT64_C(2000000000)},
		{"1T", UINT64_C(1) << 40},
		{"1TB", UINT64_C(1000000000000)},
		{"18446744073709551615", UINT64_MAX},
	};
	static const char *const bad[] = {"",    "x",    "-1", "+1",   "1.5M", "1 M", "M",
					  "1Mi", "1MBB", "1P", "0x10", "1Kb1", "1SS"};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(options_parse_size(good[i].text, &v), 0);
		assert_int_equal(v, good[i].bytes);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (options_parse_size(bad[i], &v) != -EINVAL)
			fail_msg("\"%s\" was taken for a size", bad[i]);
	assert_int_equal(options_parse_size("18446744073709551616", &v), -EOVERFLOW);
	assert_int_equal(options_parse_size("16777216T", &v), -EOVERFLOW);
	assert_int_equal(options_parse_size("36028797018963968S", &v), -EOVERFLOW);
}

static void what_we_do_not_do_is_refused_by_name(void **state)
{
	(void)state;
	assert_refused("recryptctl reencrypt img --resilience none", -ENOTSUP,
		       "a kill would corrupt the volume silently");
	assert_refused("recryptctl reencrypt img --resilience datashift", -ENOTSUP,
		       "--resilience datashift is refused");
	assert_refused("recryptctl reencrypt img --resilience datashift-checksum", -ENOTSUP,
		       "--resilience datashift-checksum is refused");
	assert_refused("recryptctl reencrypt img --encrypt", -ENOTSUP, "--encrypt is refused");
	assert_refused("recryptctl reencrypt img --new", -ENOTSUP, "--new is refused");
	assert_refused("recryptctl reencrypt img -N", -ENOTSUP, "--new is refused");
	assert_refused("recryptctl reencrypt img --decrypt", -ENOTSUP, "--decrypt is refused");
	assert_refused("recryptctl reencrypt img --reduce-device-size 32M", -ENOTSUP,
		       "--reduce-device-size is refused");
}

static void nonsense_is_refused(void **state)
{
	(void)state;
	assert_refused("recryptctl reencrypt", -EINVAL, "missing");
	assert_refused("recryptctl reencrypt a b", -EINVAL,
		       "reencrypt takes one device, but a second was given: \"b\"");
	assert_refused("recryptctl reencrypt a --frobnicate", -EINVAL, "--frobnicate");
	assert_refused("recryptctl reencrypt a -Z", -EINVAL, "-Z");
	assert_refused("recryptctl reencrypt a --cipher", -EINVAL, "needs a value");
	assert_refused("recryptctl reencrypt a --cipher=", -EINVAL, "must not be empty");
	assert_refused("recryptctl reencrypt a --key-slot 32", -EINVAL, "between 0 and 31");
	assert_refused("recryptctl reencrypt a --token-id 32", -EINVAL, "between 0 and 31");
	assert_refused("recryptctl reencrypt a --uuid 1", -EINVAL, "is not a UUID");
	assert_refused("recryptctl reencrypt a -M luks1", -ENOTSUP, "cryptsetup convert");
	assert_refused("recryptctl reencrypt a --key-slot -1", -EINVAL, "between 0 and 31");
	assert_refused("recryptctl reencrypt a --key-size 100", -EINVAL, "multiple of 8");
	assert_refused("recryptctl reencrypt a --key-size 0", -EINVAL, "between");
	assert_refused("recryptctl reencrypt a --key-size 9999999999999999999999", -EINVAL,
		       "not a number");
	assert_refused("recryptctl reencrypt a --sector-size 1000", -EINVAL, "--sector-size");
	assert_refused("recryptctl reencrypt a --sector-size 8192", -EINVAL, "--sector-size");
	assert_refused("recryptctl reencrypt a --hotzone-size 1000", -EINVAL, "multiple of 512");
	assert_refused("recryptctl reencrypt a --hotzone-size 0", -EINVAL, "not 0");
	assert_refused("recryptctl reencrypt a --rate 0", -EINVAL, "no rate");
	assert_refused("recryptctl reencrypt a --rate 20", -EINVAL,
		       "--rate 20: 20 bytes per second is less than 64K; did you mean 20M?");
	assert_refused("recryptctl reencrypt a --rate fast", -EINVAL, "not a rate");
	assert_refused("recryptctl reencrypt a --governor polite", -EINVAL,
		       "none, idle or latency, not \"polite\"");
	assert_refused("recryptctl reencrypt a --governor idle --rate-min 1K", -EINVAL,
		       "--rate-min 1K: 1024 bytes per second is less than 64K");
	assert_refused("recryptctl reencrypt a --governor latency --latency-target 0", -EINVAL,
		       "--latency-target must be between");
	assert_refused("recryptctl reencrypt a --threads 0", -EINVAL, "between");
	assert_refused("recryptctl reencrypt a --threads 257", -EINVAL, "between");
	assert_refused("recryptctl reencrypt a --device-size 12Q", -EINVAL, "not a size");
	assert_refused("recryptctl reencrypt a --resilience maybe", -EINVAL, "--resilience must");
	assert_refused("recryptctl reencrypt a --pbkdf argon2id-argon2id", -EINVAL,
		       "--pbkdf \"argon2id-argon2id\" is too long");
	assert_refused("recryptctl reencrypt a --pbkdf scrypt", -EINVAL, "--pbkdf must");
	assert_refused("recryptctl reencrypt a --tries 0", -EINVAL, "--tries must");
	assert_refused("recryptctl reencrypt a --progress-frequency x", -EINVAL, "not a number");
}

static void contradictions_are_refused(void **state)
{
	static const char *const lines[] = {
		"recryptctl reencrypt a --keep-key --key-size 256",
		"recryptctl reencrypt a --keep-key --new-volume-key-file f",
		"recryptctl reencrypt a --init-only --resume-only",
		"recryptctl reencrypt --active-name n --force-offline-reencrypt",
		"recryptctl reencrypt a --key-file - --volume-key-file -",
		"recryptctl reencrypt a --volume-key-file - --new-volume-key-file -",
		"recryptctl reencrypt a --keep-key --new-key-size 256",
		"recryptctl reencrypt a --keep-key --new-volume-key-keyring k",
		"recryptctl reencrypt a --volume-key-file f --volume-key-keyring k",
		"recryptctl reencrypt a --new-volume-key-file f --new-volume-key-keyring k",
		"recryptctl reencrypt a --key-file f --key-description d",
		"recryptctl reencrypt a --force-no-keyslots --volume-key-file f",
		"recryptctl reencrypt a --pbkdf pbkdf2 --pbkdf-memory 1024",
		"recryptctl reencrypt a --pbkdf pbkdf2 --pbkdf-parallel 1",
		"recryptctl reencrypt a --pbkdf pbkdf2 --pbkdf-force-iterations 999",
		"recryptctl reencrypt a --pbkdf-force-iterations 1000 --iter-time 10",
		"recryptctl reencrypt a --rate-min 1M",
		"recryptctl reencrypt a --governor none --rate-max 1M",
		"recryptctl reencrypt a --governor idle --latency-target 5",
		"recryptctl reencrypt a --governor idle --rate-max 512K",
		"recryptctl reencrypt a --governor idle --rate-min 3M --rate-max 2M",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_refused(lines[i], -EINVAL, "");
}

static bool is_written_by_an_option(size_t where, size_t size)
{
	for (const struct option_spec *s = option_specs; s->name; s++)
		if (s->size > 0 && s->where == where && s->size == size)
			return true;
	return false;
}

/* recryptctl sends the struct as it is, so a setting without an option could not be asked for. */
static void every_setting_of_a_rotation_has_an_option(void **state)
{
	(void)state;
	for (const struct setting *s = rotation_settings; s->name; s++) {
		if (!(s->places & SETTING_OF_CALLER) || strcmp(s->name, "Deadline") == 0)
			continue; /* --deadline may be a span of time */
		if (!is_written_by_an_option(offsetof(struct options, rotation) + s->where,
					     s->size))
			fail_msg("no option writes %s", s->name);
	}
	for (const struct setting *c = choice_settings; c->name; c++) {
		const struct setting *s = run_settings;

		while (s->name && strcmp(s->name, c->name) != 0)
			s++;
		if (!s->name ||
		    !is_written_by_an_option(offsetof(struct options, run) + s->where, s->size))
			fail_msg("no option writes %s", c->name);
	}
}

static void exit_codes_are_those_of_cryptsetup(void **state)
{
	(void)state;
	assert_int_equal(exit_code(0), 0);
	assert_int_equal(exit_code(-EINVAL), 1);
	assert_int_equal(exit_code(-ENOENT), 1);
	assert_int_equal(exit_code(-EIO), 1);
	assert_int_equal(exit_code(-ERROR_KEY_REJECTED), 2);
	assert_int_equal(exit_code(-ENOMEM), 3);
	assert_int_equal(exit_code(-ENODEV), 4);
	assert_int_equal(exit_code(-ENOTBLK), 4);
	assert_int_equal(exit_code(-EEXIST), 5);
	assert_int_equal(exit_code(-EBUSY), 5);
}

/* An error that stood in two rows would have the number of the first. */
static void each_error_has_one_exit_code(void **state)
{
	(void)state;
	for (const struct exit_row *row = exit_rows; row->text; row++) {
		assert_int_equal(row->code, row - exit_rows);
		for (size_t i = 0; i < ARRAY_SIZE(row->errors) && row->errors[i]; i++)
			assert_int_equal(exit_code(-row->errors[i]), row->code);
	}
	assert_int_equal(exit_code(-ERROR_WAIT_CANCELLED), EXIT_OF_WAIT);
	assert_int_equal(exit_code(-ERROR_WAIT_TIMEOUT), EXIT_OF_WAIT + 5);
}

static void a_wait_has_an_end_or_none(void **state)
{
	struct options o;

	(void)state;
	parse_good("recryptctl rotate --wait a", &o);
	assert_int_equal(o.daemon.wait, WAIT_DONE);
	assert_string_equal(o.target.device, "a");
	parse_good("recryptctl wait --wait=attention --timeout=5", &o);
	assert_int_equal(o.daemon.wait, WAIT_ATTENTION);
	assert_int_equal(o.keys.timeout, 5);
	assert_refused("recryptctl rotate --timeout=5 a", -EINVAL, "add --wait");
	assert_refused("recryptctl wait --wait=yes", -EINVAL, "must be done or attention");
}

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	assert_refused("recryptctl", -EINVAL, "no verb was given; see recryptctl --help");
	assert_refused("recryptctl lst", -EINVAL, "unknown verb \"lst\"; did you mean \"list\"?");
	assert_refused("recryptctl lst --help", -EINVAL, "did you mean \"list\"?");
	assert_refused("recryptctl help lst", -EINVAL, "did you mean \"list\"?");
	assert_refused("recryptctl list a", -EINVAL,
		       "list takes no arguments, but \"a\" was given");
	assert_refused("recryptctl lock a b", -EINVAL,
		       "lock takes one volume, but a second was given: \"b\"");
	assert_refused("recryptctl rate a b c", -EINVAL,
		       "rate takes at most 2 arguments, and \"c\" is one more");
	assert_refused("recryptctl suspend --wait a", -EINVAL,
		       "suspend has no option --wait (it always waits until the work has stopped)");
	assert_refused("recryptctl rotate --all=yes", -EINVAL, "--all takes no value");
	assert_refused("recryptctl rotate --grop x", -EINVAL, "did you mean \"--group\"?");
	assert_refused("recryptctl rotate a --group", -EINVAL, "--group needs a value");
	assert_refused(
		"recryptctl rotate --frobnicate a", -EINVAL,
		"unknown or ambiguous option \"--frobnicate\"; see recryptctl rotate --help");
}

static void help_is_of_a_verb_or_of_all(void **state)
{
	static const struct {
		const char *line;
		enum verb verb;
	} lines[] = {
		{"recryptctl --help", VERB_HELP},        {"recryptctl -h", VERB_HELP},
		{"recryptctl help", VERB_HELP},          {"recryptctl -v --help", VERB_HELP},
		{"recryptctl help rotate", VERB_ROTATE}, {"recryptctl rotate --help", VERB_ROTATE},
		{"recryptctl --help rate", VERB_RATE},   {"recryptctl list -?", VERB_LIST},
		{"recryptctl rate x --help", VERB_RATE},
	};
	struct options o;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		parse_good(lines[i].line, &o);
		assert_int_equal(o.verb, VERB_HELP);
		assert_int_equal(o.help_of, lines[i].verb);
	}
}

/* What completion offers would otherwise be a second list, and go its own way. */
static void what_completion_offers_is_accepted(void **state)
{
	(void)state;
	for (const struct value_spec *v = value_specs; v->option; v++) {
		const struct option_spec *s = option_find(v->option);
		char values[256], *save = NULL;

		assert_non_null(s);
		assert_true(strlen(v->values) < sizeof(values));
		strcpy(values, v->values);
		for (char *w = strtok_r(values, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
			struct options o = OPTIONS_NONE;

			o.keys.tries = 1;
			assert_int_equal(option_set(s, w, &o), 0);
			if (options_check(&o) < 0)
				fail_msg("--%s %s is refused", s->name, w);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_stand_where_nothing_is_given),
		cmocka_unit_test(every_option_reaches_its_field),
		cmocka_unit_test(the_other_options_reach_their_fields),
		cmocka_unit_test(newer_options_reach_their_fields),
		cmocka_unit_test(key_sizes_are_those_of_both_versions),
		cmocka_unit_test(short_letters_are_those_of_cryptsetup),
		cmocka_unit_test(options_may_stand_behind_the_device),
		cmocka_unit_test(verbs_are_known_and_know_their_options),
		cmocka_unit_test(options_may_stand_before_the_verb),
		cmocka_unit_test(sizes_have_the_units_of_cryptsetup),
		cmocka_unit_test(what_we_do_not_do_is_refused_by_name),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(contradictions_are_refused),
		cmocka_unit_test(every_setting_of_a_rotation_has_an_option),
		cmocka_unit_test(exit_codes_are_those_of_cryptsetup),
		cmocka_unit_test(each_error_has_one_exit_code),
		cmocka_unit_test(a_wait_has_an_end_or_none),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(help_is_of_a_verb_or_of_all),
		cmocka_unit_test(what_completion_offers_is_accepted),
	};

	log_init("test-options", LOG_NOTICE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
