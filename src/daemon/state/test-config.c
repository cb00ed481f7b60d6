/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/state/config-internal.h"
#include "model/test-text.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/uuid.h"

#define UUID_A "11111111-2222-3333-4444-555555555555"
#define UUID_B "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

/* A directory with recryptd.conf, recryptd.conf.d and state in it. */
static char dir[] = "/tmp/test-config-XXXXXX";
static char conf[64], drop_in_a[64], drop_in_b[64], state[64], log_path[64];

static int set_up(void **test_state)
{
	char d[64];

	(void)test_state;
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(conf, sizeof(conf), "%s/recryptd.conf", dir);
	(void)snprintf(d, sizeof(d), "%s/recryptd.conf.d", dir);
	(void)snprintf(drop_in_a, sizeof(drop_in_a), "%s/recryptd.conf.d/10-a.conf", dir);
	(void)snprintf(drop_in_b, sizeof(drop_in_b), "%s/recryptd.conf.d/20-b.conf", dir);
	(void)snprintf(state, sizeof(state), "%s/state", dir);
	(void)snprintf(log_path, sizeof(log_path), "%s/log", dir);
	return mkdir(d, 0700);
}

static int remove_files(void **test_state)
{
	(void)test_state;
	(void)unlink(conf);
	(void)unlink(drop_in_a);
	(void)unlink(drop_in_b);
	(void)unlink(state);
	(void)unlink(log_path);
	return 0;
}

static int tear_down(void **test_state)
{
	char d[64];

	(void)remove_files(test_state);
	(void)snprintf(d, sizeof(d), "%s/recryptd.conf.d", dir);
	return rmdir(d) || rmdir(dir);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static struct config *load(void)
{
	struct config *c = NULL;

	assert_int_equal(config_load(conf, state, &c), 0);
	assert_non_null(c);
	return c;
}

static void without_files_the_defaults_hold(void **test_state)
{
	_cleanup_(config_freep) struct config *c = load();

	(void)test_state;
	assert_int_equal(config_rate_limit(c), 0);
	assert_int_equal(c->max_concurrent, 0);
	assert_int_equal(c->max_concurrent_per_disk, 1);
	assert_true(c->keep_suspended && c->keep_rate);
	assert_int_equal(config_for_volume(c, UUID_A)->stall_target_usec, 50000);
	assert_memory_equal(&config_for_volume(c, UUID_A)->run, &(struct run_switches){},
			    sizeof(struct run_switches));
	assert_int_equal(config_for_volume(c, UUID_A)->provider.kind, PROVIDER_NONE);
	assert_string_equal(c->crypttab, "/etc/crypttab");
}

/* All of it, uncommented, changes nothing. */
static void the_file_that_is_installed_shows_the_defaults(void **test_state)
{
	_cleanup_(config_freep) struct config *c = NULL, *defaults = load();
	_cleanup_free_ char *shown = test_text_read("systemd/recryptd.conf");

	(void)test_state;
	for (char *line = shown; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (line[0] == '#' && line[1] >= 'A' && line[1] <= 'Z' &&
		    strcspn(line, "=") < strcspn(line, " \n"))
			line[0] = ' ';
	write_file(conf, shown);
	c = load();
	assert_string_equal(c->crypttab, defaults->crypttab);
	assert_string_equal(c->defaults.resilience, "checksum");
	assert_string_equal(c->defaults.resilience_hash, "sha256");
	(void)config_set_text(&c->crypttab, "");
	(void)config_set_text(&defaults->crypttab, "");
	(void)config_set_text(&c->defaults.resilience, "");
	(void)config_set_text(&c->defaults.resilience_hash, "");
	assert_int_not_equal(c->defaults.set, 0);
	c->defaults.set = c->defaults.polite.set = 0;
	c->defaults.from = defaults->defaults.from;
	memcpy(c->from, defaults->from, sizeof(c->from));
	config_forget_files(c);
	config_forget_files(defaults);
	assert_memory_equal(c, defaults, sizeof(*c));
}

static void later_files_win_over_earlier_ones(void **test_state)
{
	_cleanup_(config_freep) struct config *c = NULL;

	(void)test_state;
	write_file(conf, "[Manager]\nMaxConcurrent=1\nRateLimit=1M\nMaxConcurrentPerDisk=7\n");
	write_file(drop_in_b, "[Manager]\nMaxConcurrent=3\n");
	write_file(drop_in_a, "[Manager]\nMaxConcurrent=2\nRateLimit=2M\n");
	c = load();
	assert_int_equal(c->max_concurrent, 3);
	assert_int_equal(c->rate_limit, 2 << 20);
	assert_int_equal(c->max_concurrent_per_disk, 7);
}

static void a_volume_takes_from_the_defaults_what_its_section_leaves_out(void **test_state)
{
	_cleanup_(config_freep) struct config *c = NULL;
	const struct volume_config *a, *b;

	(void)test_state;
	/* The defaults come last and hold all the same. */
	write_file(conf, "[Volume " UUID_A "]\nDevice=/dev/sdx\nRateLimit=0\nGroup=g\n"
			 "KeyProvider=credential\nCredential=c\n"
			 "[Volume]\nRateLimit=5MB\nResilience=journal\nKeyProvider=key-file\n"
			 "KeyFile=/k\nKeyTimeout=2min\n"
			 "KeyMemoryMax=2G\nKeyCostMax=5000000\nAllowSharedFiles=yes\n");
	c = load();
	a = config_for_volume(c, UUID_A);
	b = config_for_volume(c, UUID_B);
	assert_string_equal(a->device, "/dev/sdx");
	assert_string_equal(a->group, "g");
	assert_int_equal(a->rate_limit, 0);
	assert_string_equal(a->resilience, "journal");
	assert_int_equal(a->provider.kind, PROVIDER_CREDENTIAL);
	assert_string_equal(a->provider.credential, "c");
	assert_int_equal(a->provider.timeout_usec, 120000000);
	assert_int_equal(a->key_memory_max, UINT64_C(2) << 30);
	assert_int_equal(a->key_cost_max, 5000000);
	assert_true(a->allow_shared_files);
	assert_int_equal(b->rate_limit, 5000000);
	assert_int_equal(b->provider.kind, PROVIDER_KEY_FILE);
	assert_string_equal(b->provider.key_file, "/k");
	assert_null(b->device);
	assert_false(a->remembered);
}

static void each_switch_has_its_name(void **test_state)
{
	(void)test_state;
#define CHECK(field, name, ...)                                                                    \
	{                                                                                          \
		_cleanup_(config_freep) struct config *c = NULL;                                   \
                                                                                                   \
		write_file(conf, "[Volume " UUID_A "]\n" name "=no\n[Volume]\n" name "=yes\n");    \
		c = load();                                                                        \
		assert_false(config_for_volume(c, UUID_A)->run.field);                             \
		assert_true(config_for_volume(c, UUID_B)->run.field);                              \
	}
	RUN_SWITCHES(CHECK)
}

/* As load(), with what was logged in @text. */
static struct config *load_with_log(char *text, size_t size)
{
	struct config *c;
	size_t n;
	int saved;
	FILE *f;

	(void)fflush(stderr);
	saved = dup(STDERR_FILENO);
	assert_true(saved >= 0);
	assert_non_null(freopen(log_path, "we", stderr));
	c = load();
	(void)fflush(stderr);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	(void)close(saved);
	f = fopen(log_path, "re");
	assert_non_null(f);
	n = fread(text, 1, size - 1, f);
	text[n] = '\0';
	(void)fclose(f);
	return c;
}

static void assert_logs(const char *section, const char *setting, const char *part)
{
	char text[4096];

	(void)snprintf(text, sizeof(text), "[%s]\n%s\n", section, setting);
	write_file(conf, text);
	(void)config_free(load_with_log(text, sizeof(text)));
	if (*part ? !strstr(text, part) : *text)
		fail_msg("%s: \"%s\" is not in \"%s\"", setting, part, text);
}

static void amounts_have_bounds(void **test_state)
{
	(void)test_state;
	assert_logs("Volume", "Threads=256", "");
	assert_logs("Volume", "Threads=257", "Threads=257 is ignored: the most is 256");
	assert_logs("Volume", "Threads=-1", "Threads=-1 is ignored: it is a whole number");
	assert_logs("Volume", "Threads=2 ", "");
	assert_logs("Volume", "Threads=2x", "whole number");
	assert_logs("Volume", "Token=31", "");
	assert_logs("Volume", "Token=any", "");
	assert_logs("Volume", "Token=32", "the most is 31");
	assert_logs("Volume", "KeyTimeout=0", "the least is 1us");
	assert_logs("Volume", "KeyTimeout=1d", "");
	assert_logs("Volume", "KeyTimeout=25h", "the most is 1d");
	assert_logs("Volume", "KeyCostMax=0", "");
	assert_logs("Volume", "KeyCostMax=999", "the least is 1000");
	assert_logs("Volume", "KeyCostMax=1000", "");
	assert_logs("Volume", "KeyCostMax=4294967295", "");
	assert_logs("Volume", "KeyCostMax=4294967296", "the most is 4294967295");
	assert_logs("Volume", "KeyCostMax=99999999999999999999", "the most is");
	assert_logs("Volume", "KeyProvider=token", "");
	assert_logs("Volume", "KeyProvider=tokens",
		    "must be none, key-file, credential, keyring or token");
	assert_logs("Volume", "Resilience=", "");
	assert_logs("Volume", "Resilience=none", "must be checksum or journal");
	assert_logs("Volume", "Name=x", "its section is [Volume UUID]");
	assert_logs("Manager", "MaxConcurrent=65536", "");
	assert_logs("Manager", "MaxConcurrent=65537", "the most is 65536");
	assert_logs("Manager", "ProbeTimeout=0", "the least is");
	assert_logs("Manager", "ProbeTimeout=2d", "the most is 1d");
	assert_logs("Manager", "Threads=2", "its section is [Volume]");
	assert_logs("Volume", "MaxConcurrent=2", "its section is [Manager]");
}

static void a_wrong_value_is_said_with_what_it_may_be(void **test_state)
{
	(void)test_state;
	assert_logs("Volume", "RateLimit=fast",
		    "RateLimit=fast is ignored: a rate is bytes per second, such as 20M");
	assert_logs("Manager", "RateLimit=20", "did you mean 20M?");
	assert_logs("Volume", "RateLimit=64K", "");
	assert_logs("Volume", "RateLimit=0", "");
	assert_logs("Volume", "RateMin=2K", "did you mean 2M?");
	assert_logs("Volume", "StallTarget=soon", "a time is such as 50ms");
	assert_logs("Volume", "HotzoneSizeMax=big", "a size is bytes, such as 64M");
	assert_logs("Volume", "Governor=polite", "must be none, idle or latency");
	assert_logs("Volume", "LatencyTarget=0", "the least is");
	assert_logs("Volume", "Window=22:00", "Mon..Fri 22:00 for 8h");
	assert_logs("Volume", "Deadline=soon", "such as 3d");
	assert_logs("Volume", "KeyFile=relative", "a path is absolute");
	assert_logs("Manager", "KeepRate=perhaps", "yes or no");
}

static void a_slip_is_guessed(void **test_state)
{
	(void)test_state;
	assert_logs("Volume", "Ratelimit=1M", "did you mean RateLimit=?");
	assert_logs("Volume", "RateLimt=1M", "did you mean RateLimit=?");
	assert_logs("Manager", "MaxConcurent=1", "did you mean MaxConcurrent=?");
	assert_logs("Volume", "Windows=22:00 for 8h", "did you mean Window=?");
	assert_logs("Volume", "Colour=red", "unknown setting Colour= is ignored\n");
}

static void contradictions_are_said(void **test_state)
{
	(void)test_state;
	assert_logs("Volume", "RateMin=2M\nRateMax=1M",
		    "RateMin=2M is more than RateMax=1M: RateMin= applies");
	assert_logs("Volume " UUID_A, "RateMax=512K", "RateMin=1M is more than RateMax=512K");
	assert_logs("Volume", "RateMin=1M\nRateMax=1M", "");
	assert_logs("Volume", "HotzoneSizeMax=1G", "88M, which applies");
	assert_logs("Volume", "HotzoneSizeMax=44M", "");
	assert_logs("Volume " UUID_A, "KeyProvider=key-file", "without KeyFile=");
	assert_logs("Volume", "KeyProvider=credential", "without Credential=");
	assert_logs("Volume", "KeyProvider=keyring\nKeyringKey=k", "");
	/* The file is for all, and which volume needs it is said by each. */
	assert_logs("Volume", "KeyFile=/k\n[Volume " UUID_A "]\nKeyProvider=key-file", "");
}

static int show_one(const struct config_line *l, void *userdata)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "%s=%s %s:%u\n", l->name, l->value,
		       l->file ? strrchr(l->file, '/') + 1 : "", l->line);
	assert_true(strlen(userdata) + strlen(text) < 4096);
	(void)strcat(userdata, text);
	return 0;
}

static void assert_shown(const struct config *c, const char *uuid, const char *line)
{
	char text[4096] = "\n", wanted[256];

	assert_int_equal(config_show(c, uuid, show_one, text), 0);
	(void)snprintf(wanted, sizeof(wanted), "\n%s\n", line);
	if (!strstr(text, wanted))
		fail_msg("\"%s\" is not in %s", line, text);
}

static void what_holds_is_shown_with_the_line_that_says_so(void **test_state)
{
	_cleanup_(config_freep) struct config *c = NULL;
	_cleanup_free_ char *section = NULL;

	(void)test_state;
	write_file(conf, "[Manager]\nMaxConcurrent=3\n[Volume]\nRateLimit=20480K\nGroup=g\n"
			 "Window=22:00 for 8h\nWindow=Sat 00:00 for 1d\n"
			 "[Volume " UUID_A "]\nDevice=/a\nStallTarget=0.02\n");
	write_file(drop_in_a, "[Volume " UUID_A "]\nGroup=\nVerify=yes\nDeadline=3d\n");
	c = load();
	assert_shown(c, NULL, "MaxConcurrent=3 recryptd.conf:2");
	assert_shown(c, NULL, "RateLimit=0 :0"); /* of the host */
	assert_shown(c, NULL, "RateLimit=20M recryptd.conf:4");
	assert_shown(c, UUID_A, "RateLimit=20M recryptd.conf:4");
	assert_shown(c, UUID_A, "Group= 10-a.conf:2");
	assert_shown(c, UUID_A, "Verify=yes 10-a.conf:3");
	assert_shown(c, UUID_A, "Deadline=3d 10-a.conf:4");
	assert_shown(c, UUID_A, "StallTarget=20ms recryptd.conf:10");
	assert_shown(c, UUID_A, "Window=Sat 00:00 for 1d recryptd.conf:7");
	assert_shown(c, UUID_A, "Window=22:00 for 8h recryptd.conf:6");
	assert_shown(c, UUID_A, "Governor=none :0");
	assert_shown(c, UUID_A, "Token=any :0");
	assert_shown(c, UUID_B, "Group=g recryptd.conf:5");
	section = config_section_text(c, UUID_A);
	assert_non_null(strstr(section, "10-a.conf:1"));
	assert_null(config_section_text(c, UUID_B));
}

static void what_is_wrong_is_warned_of_with_file_and_line(void **test_state)
{
	_cleanup_(config_freep) struct config *c = NULL;
	char text[4096], expect[128];

	(void)test_state;
	write_file(conf, "# a comment\n[Manager]\nMaxConcurent=1\nMaxConcurrent=many\n"
			 "[Volume nonsense]\nDevice=/dev/x\n[Volume]\nDevice=/dev/y\nno setting\n"
			 "RateLimit=99999999999999999999T\n[Volume " UUID_A "]\nDevice=relative\n");
	c = load_with_log(text, sizeof(text));
	for (unsigned line = 3; line <= 12; line++) {
		(void)snprintf(expect, sizeof(expect), "%s:%u:", conf, line);
		if (line == 7 || line == 11) /* sections that are right */
			assert_null(strstr(text, expect));
		else
			assert_non_null(strstr(text, expect));
	}
	assert_int_equal(c->max_concurrent, 0);
	assert_int_equal(c->defaults.rate_limit, 0);
	assert_int_equal(c->n_volumes, 1);
	assert_int_equal(c->ignored, 8);
	assert_null(c->volumes[0].device);
}

static void what_is_remembered_comes_back(void **test_state)
{
	(void)test_state;
	write_file(conf, "[Manager]\nRateLimit=1M\n[Volume " UUID_B "]\nDevice=/dev/b\n");
	{
		_cleanup_(config_freep) struct config *c = load();

		assert_int_equal(config_remember(c, UUID_A, "/a b;#", "/h", NULL), 0);
		assert_int_equal(config_remember(c, UUID_B, "/dev/other", NULL, NULL), 0);
		c->has_kept_rate = true;
		c->kept_rate_limit = 12345;
		assert_int_equal(config_write_state(c, state), 0);
	}
	{
		_cleanup_(config_freep) struct config *c = load();

		assert_int_equal(c->n_volumes, 2);
		assert_string_equal(config_for_volume(c, UUID_A)->device, "/a b;#");
		assert_string_equal(config_for_volume(c, UUID_A)->header_device, "/h");
		assert_true(config_for_volume(c, UUID_A)->remembered);
		/* The administrator's file has the say over its volumes. */
		assert_string_equal(config_for_volume(c, UUID_B)->device, "/dev/b");
		assert_false(config_for_volume(c, UUID_B)->remembered);
		assert_int_equal(config_rate_limit(c), 12345);
		c->keep_rate = false;
		assert_int_equal(config_rate_limit(c), 1 << 20);
		config_forget(c, UUID_B);
		config_forget(c, UUID_A);
		assert_int_equal(c->n_volumes, 1);
	}
}

/* Beside the sections of the administrator, who cannot set it; a path is written as bytes are. */
static void a_disk_is_remembered_by_its_id(void **test_state)
{
	(void)test_state;
	write_file(conf, "[Volume " UUID_B "]\nDevice=/dev/b\nDeviceId=/dev/disk/by-id/x\n");
	{
		_cleanup_(config_freep) struct config *c = load();

		assert_null(config_for_volume(c, UUID_B)->device_id);
		assert_true(config_set_device_id(c, UUID_B, "/dev/disk/by-id/b"));
		assert_false(config_set_device_id(c, UUID_B, "/dev/disk/by-id/b"));
		assert_false(config_set_device_id(c, UUID_A, ""));
		assert_null(config_find_volume(c, UUID_A));
		assert_int_equal(config_remember(c, UUID_A, "/a\n[Manager]\xfc ", NULL, NULL), 0);
		assert_int_equal(config_write_state(c, state), 0);
	}
	{
		_cleanup_(config_freep) struct config *c = load();

		assert_string_equal(config_for_volume(c, UUID_B)->device_id, "/dev/disk/by-id/b");
		assert_string_equal(config_for_volume(c, UUID_B)->device, "/dev/b");
		assert_false(config_for_volume(c, UUID_B)->remembered);
		assert_string_equal(config_for_volume(c, UUID_A)->device, "/a\n[Manager]\xfc ");
		config_forget(c, UUID_B);
		assert_null(config_for_volume(c, UUID_B)->device_id);
		assert_string_equal(config_for_volume(c, UUID_B)->device, "/dev/b");
	}
}

static void politeness_is_a_part_of_each_section(void **test_state)
{
	_cleanup_(config_freep) struct config *c = NULL;
	const struct politeness *a, *b;

	(void)test_state;
	write_file(conf, "[Volume]\nGovernor=idle\nRateMin=2M\nWindow=22:00 for 8h\n"
			 "Window=Sat,Sun 00:00 for 1d\nDeadline=3d\n"
			 "[Volume " UUID_A "]\nGovernor=latency\nLatencyTarget=5ms\nRateMax=50M\n"
			 "Window=Mon 01:00 for 1h\nDeadline=2027-01-01 06:00\n"
			 "[Volume " UUID_B "]\nWindow=\nDeadline=\n");
	write_file(drop_in_a, "[Volume " UUID_A "]\nWindow=Tue 01:00 for 1h\n");
	c = load();
	a = &config_for_volume(c, UUID_A)->polite;
	b = &config_for_volume(c, UUID_B)->polite;
	assert_int_equal(c->defaults.polite.n_windows, 2);
	assert_int_equal(a->governor.mode, GOVERNOR_LATENCY);
	assert_int_equal(a->governor.latency_target, 5000);
	assert_int_equal(a->governor.rate_min, 2 << 20);
	assert_int_equal(a->governor.rate_max, 50 << 20);
	assert_int_equal(a->n_windows, 2); /* later lines add */
	assert_string_equal(a->windows[1].text, "Tue 01:00 for 1h");
	assert_true(a->deadline.set && a->deadline.span_usec == 0);
	assert_int_equal(b->governor.mode, GOVERNOR_IDLE);
	assert_int_equal(b->n_windows, 0);
	assert_false(b->deadline.set);
	b = &config_for_volume(c, "no such")->polite;
	assert_int_equal(b->n_windows, 2);
	assert_int_equal(b->deadline.span_usec, UINT64_C(3) * 86400 * 1000000);
}

static void politeness_that_makes_no_sense_is_left_out(void **test_state)
{
	_cleanup_(config_freep) struct config *c = NULL;

	(void)test_state;
	write_file(conf, "[Volume]\nGovernor=nice\nLatencyTarget=0\nWindow=22:00\n"
			 "Deadline=soon\nDeadline=0\nRateMin=x\n");
	c = load();
	assert_int_equal(c->defaults.polite.governor.mode, GOVERNOR_NONE);
	assert_int_equal(c->defaults.polite.governor.latency_target, 10000);
	assert_int_equal(c->defaults.polite.governor.rate_min, 1 << 20);
	assert_int_equal(c->defaults.polite.n_windows, 0);
	assert_false(c->defaults.polite.deadline.set);
}

static void windows_have_a_number(void **test_state)
{
	_cleanup_(config_freep) struct config *c = NULL;
	char text[4096] = "[Volume]\n";

	(void)test_state;
	for (unsigned i = 0; i < WINDOWS_MAX + 3; i++)
		(void)strcat(text, "Window=22:00 for 8h\n");
	write_file(conf, text);
	c = load();
	assert_int_equal(c->defaults.polite.n_windows, WINDOWS_MAX);
}

static void values_are_understood_exactly(void **test_state)
{
	uint64_t v = 77;
	char uuid[37];
	bool b;

	(void)test_state;
	assert_int_equal(config_parse_bytes("2.5M", &v), 0);
	assert_int_equal(v, 5 << 19);
	assert_int_equal(config_parse_bytes("2.5MB", &v), 0);
	assert_int_equal(v, 2500000);
	assert_int_equal(config_parse_bytes("18446744073709551615", &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(config_parse_bytes("18446744073709551616", &v), -ERANGE);
	assert_int_equal(config_parse_bytes("16777216T", &v), -ERANGE);
	assert_int_equal(config_parse_bytes("16777215.999T", &v), 0);
	assert_int_equal(config_parse_bytes("99999999999999999999999999", &v), -ERANGE);
	assert_int_equal(config_parse_bytes("-1", &v), -EINVAL);
	assert_int_equal(config_parse_bytes("", &v), -EINVAL);
	assert_int_equal(config_parse_bytes(".", &v), -EINVAL);
	assert_int_equal(config_parse_bytes("1.2.3", &v), -EINVAL);
	assert_int_equal(config_parse_bytes("1Q", &v), -EINVAL);
	assert_int_equal(config_parse_usec("50ms", &v), 0);
	assert_int_equal(v, 50000);
	assert_int_equal(config_parse_usec("1.5", &v), 0);
	assert_int_equal(v, 1500000);
	assert_int_equal(config_parse_usec("1.5d", &v), 0);
	assert_int_equal(v, UINT64_C(129600000000));
	assert_int_equal(config_parse_bool("Yes", &b), 0);
	assert_true(b);
	assert_int_equal(config_parse_bool("off", &b), 0);
	assert_false(b);
	assert_int_equal(config_parse_bool("maybe", &b), -EINVAL);
	assert_int_equal(uuid_canonical("AAAAAAAA-bbbb-cccc-dddd-eeeeeeeeeeee", uuid), 0);
	assert_string_equal(uuid, UUID_B);
	assert_int_equal(uuid_canonical(UUID_A "0", uuid), -EINVAL);
	assert_int_equal(uuid_canonical("1111", uuid), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(without_files_the_defaults_hold, remove_files),
		cmocka_unit_test_teardown(later_files_win_over_earlier_ones, remove_files),
		cmocka_unit_test_teardown(
			a_volume_takes_from_the_defaults_what_its_section_leaves_out, remove_files),
		cmocka_unit_test_teardown(each_switch_has_its_name, remove_files),
		cmocka_unit_test_teardown(amounts_have_bounds, remove_files),
		cmocka_unit_test_teardown(the_file_that_is_installed_shows_the_defaults,
					  remove_files),
		cmocka_unit_test_teardown(a_wrong_value_is_said_with_what_it_may_be, remove_files),
		cmocka_unit_test_teardown(a_slip_is_guessed, remove_files),
		cmocka_unit_test_teardown(contradictions_are_said, remove_files),
		cmocka_unit_test_teardown(what_holds_is_shown_with_the_line_that_says_so,
					  remove_files),
		cmocka_unit_test_teardown(what_is_wrong_is_warned_of_with_file_and_line,
					  remove_files),
		cmocka_unit_test_teardown(what_is_remembered_comes_back, remove_files),
		cmocka_unit_test_teardown(a_disk_is_remembered_by_its_id, remove_files),
		cmocka_unit_test_teardown(politeness_is_a_part_of_each_section, remove_files),
		cmocka_unit_test_teardown(politeness_that_makes_no_sense_is_left_out, remove_files),
		cmocka_unit_test_teardown(windows_have_a_number, remove_files),
		cmocka_unit_test_teardown(values_are_understood_exactly, remove_files),
	};

	log_init("test-config", LOG_WARNING);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
