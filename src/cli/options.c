/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The command line as a whole: getopt_long() over the table of options, and the rules between
 * options, in options_check().
 */
#include "cli/options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "model/rotation-check.h"
#include "pace/governor.h"
#include "util/closest.h"
#include "util/checked.h"
#include "util/log.h"
#include "util/uuid.h"
#include "cli/help.h"
#include "cli/options-table.h"

/* getopt_long() returns this plus the index in option_specs for a long option. */
#define LONG_BASE 0x100

#define NO_VERB "no verb was given; see recryptctl --help"

/*
 * @how leads the short options: ":" makes getopt_long() tell a missing value from an unknown
 * option,
 * "+" makes it stop at the first operand.
 */
static void fill_getopt(const char *how, struct option *longs, char *shorts)
{
	int n = 0;

	while (*how)
		*shorts++ = *how++;
	for (const struct option_spec *s = option_specs; s->name; s++, n++) {
		longs[n] = (struct option){
			.name = s->name,
			.has_arg = option_takes_value(s),
			.val = LONG_BASE + n,
		};
		if (!s->letter)
			continue;
		*shorts++ = s->letter;
		if (option_takes_value(s) == required_argument)
			*shorts++ = ':';
	}
	longs[n] = (struct option){0};
	*shorts = '\0';
}

/* A letter may be another option with another verb. */
static const struct option_spec *find_spec(int c, enum verb verb)
{
	const struct option_spec *other = NULL;

	assert(c < LONG_BASE + OPTIONS_MAX);
	if (c >= LONG_BASE)
		return &option_specs[c - LONG_BASE];
	for (const struct option_spec *s = option_specs; s->name; s++) {
		if (s->letter != c)
			continue;
		if (s->verbs & ON(verb))
			return s;
		other = s;
	}
	return other;
}

static int refuse(const char *why)
{
	log_error("%s", why);
	return -EINVAL;
}

/* What may have been meant by a long option; NULL: nobody knows. */
static const char *closest_option(const char *arg)
{
	const char *names[OPTIONS_MAX + 1];
	size_t n = 0;

	for (const struct option_spec *s = option_specs; s->name; s++)
		names[n++] = s->name;
	names[n] = NULL;
	return strncmp(arg, "--", 2) == 0 ? closest_name(arg + 2, names) : NULL;
}

/* @c is what getopt_long() says of the argument before optind. @verb may be NULL. */
static int refuse_option(int c, char **argv, const char *verb)
{
	const char *arg = argv[optind - 1];
	const char *meant = closest_option(arg);

	if (c == ':')
		log_error("%s needs a value", arg);
	else if (optopt >= LONG_BASE)
		log_error("--%s takes no value", option_specs[optopt - LONG_BASE].name);
	else if (meant)
		log_error("unknown option \"%s\"; did you mean \"--%s\"?", arg, meant);
	else
		log_error("unknown or ambiguous option \"%s\"; see recryptctl %s%s--help", arg,
			  verb ?: "", verb ? " " : "");
	return -EINVAL;
}

/* Why a verb has no use for an option that somebody may expect it to have. */
static int refuse_option_of(const struct option_spec *s, enum verb verb, const char *name)
{
	if (verb == VERB_SUSPEND && strcmp(s->name, "wait") == 0)
		log_error("suspend has no option --wait (it always waits until the work has "
			  "stopped)");
	else
		log_error("%s has no option --%s; its options: recryptctl %s --help", name, s->name,
			  name);
	return -EINVAL;
}

static int refuse_operand(const char *verb, unsigned max, const char *operand)
{
	if (max == 0)
		log_error("%s takes no arguments, but \"%s\" was given", verb, operand);
	else if (max == 1)
		log_error("%s takes one %s, but a second was given: \"%s\"", verb,
			  strstr(verb_find(verb)->operands, "DEVICE") ? "device" : "volume",
			  operand);
	else
		log_error("%s takes at most %u arguments, and \"%s\" is one more", verb, max,
			  operand);
	return -EINVAL;
}

/* Puts the verb first. As with cryptsetup, options may stand before it. */
static int move_verb(int argc, char **argv)
{
	struct option longs[OPTIONS_MAX + 1];
	char shorts[2 * OPTIONS_MAX + 3], *verb;
	int c;

	fill_getopt("+:", longs, shorts);
	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1)
		if (c == ':' || c == '?')
			return refuse_option(c, argv, NULL);
	if (optind >= argc)
		return refuse(NO_VERB);
	verb = argv[optind];
	memmove(argv + 2, argv + 1, (size_t)(optind - 1) * sizeof(*argv));
	argv[1] = verb;
	return 0;
}

/* @argv starts with the verb, which stands where getopt expects the program's name. */
static int parse_verb_options(int argc, char **argv, unsigned max, struct options *o)
{
	struct option longs[OPTIONS_MAX + 1];
	char shorts[2 * OPTIONS_MAX + 2];
	int c, r;

	fill_getopt(":", longs, shorts);
	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_spec *s;

		if (c == ':' || c == '?')
			return refuse_option(c, argv, argv[0]);
		s = find_spec(c, o->verb);
		if (!s)
			return -EINVAL;
		if (!(s->verbs & ON(o->verb)))
			return refuse_option_of(s, o->verb, argv[0]);
		r = option_set(s, optarg, o);
		if (r < 0)
			return r;
	}
	if ((unsigned)(argc - optind) > max)
		return refuse_operand(argv[0], max, argv[(unsigned)optind + max]);
	o->target.operands = argv + optind;
	o->target.device = argv[optind];
	return 0;
}

/* Is what the verb is about given? */
static int check_operands(const struct options *o)
{
	for (char **operand = o->target.operands; *operand; operand++)
		if (**operand == '\0')
			return refuse("the device must not be empty");
	if (ON(o->verb) & MANY && (o->daemon.all || o->daemon.group) && o->target.device)
		return refuse("volumes are named, or chosen by --all or --group, not both");
	if (o->verb == VERB_RATE && o->daemon.host && o->target.device && o->target.operands[1])
		return refuse("the rate is that of a volume or of the --host, not both");
	if (o->verb == VERB_RATE && o->output.json && o->target.device &&
	    (o->daemon.host || o->target.operands[1]))
		return refuse("--json prints the rate, and a rate that is set is not printed");
	if (o->target.device || o->target.active_name || o->daemon.all || o->daemon.group ||
	    o->daemon.host)
		return 0;
	if (o->verb == VERB_STATUS && (o->target.header || o->foreground))
		return refuse(
			"--header and --foreground are for one volume: its device is missing");
	if (o->verb == VERB_STATUS || o->verb == VERB_LIST || o->verb == VERB_MONITOR ||
	    o->verb == VERB_WAIT || o->verb == VERB_CONFIG || o->verb == VERB_HISTORY)
		return 0;
	if (ON(o->verb) & DAEMON)
		return refuse("the volume is missing: a name, a device or a UUID");
	return refuse("a device (or --active-name) is missing");
}

static int check_governor(const struct options *o)
{
	enum governor_mode mode = GOVERNOR_NONE;

	if (o->pace.governor && governor_mode_parse(o->pace.governor, &mode) < 0) {
		log_error("--governor must be none, idle or latency, not \"%s\"", o->pace.governor);
		return -EINVAL;
	}
	if ((o->pace.rate_min || o->pace.rate_max) && mode == GOVERNOR_NONE)
		return refuse("--rate-min and --rate-max are of the governor: give --governor idle "
			      "or latency; --rate holds without one");
	if (o->pace.latency_target_ms && mode != GOVERNOR_LATENCY)
		return refuse("--latency-target is of --governor latency, which is not given");
	if (o->pace.rate_max && o->pace.rate_max < (o->pace.rate_min ?: GOVERNOR_DEFAULT_RATE_MIN))
		return refuse("--rate-max must not be less than --rate-min, which is 1M where it "
			      "is not given");
	return 0;
}

/* The daemon of another host knows where the header is, and does all the work. */
static int check_remote(const struct options *o)
{
	if (!o->daemon.remote)
		return 0;
	if (o->foreground)
		return refuse("--foreground and --remote exclude each other");
	if (o->target.header && o->verb != VERB_ADD)
		return refuse("--header and --remote exclude each other: the daemon of that host "
			      "knows where the header is");
	return 0;
}

/* One secret at a time goes to the daemon. */
static int check_unlock(const struct options *o)
{
	const char *key = o->keys.volume_key_file ? "--volume-key-file" : "--volume-key-keyring";

	if (o->verb != VERB_UNLOCK || (!o->keys.volume_key_file && !o->keys.volume_key_keyring))
		return 0;
	if (o->keys.key_file || o->keys.key_description || o->rotation.keyslot >= 0) {
		log_error("%s opens no keyslot: %s cannot be given beside it", key,
			  o->keys.key_file          ? "--key-file"
			  : o->keys.key_description ? "--key-description"
						    : "--key-slot");
		return -EINVAL;
	}
	return 0;
}

/* Of cancel it is for the prompt as well. */
static int check_wait(const struct options *o)
{
	if (o->keys.timeout == 0 || o->daemon.wait ||
	    (o->verb != VERB_ROTATE && o->verb != VERB_RESUME))
		return 0;
	return refuse("--timeout limits how long --wait waits; add --wait, or leave it out");
}

static bool is_standard_input(const char *file)
{
	return file && strcmp(file, "-") == 0;
}

/* What says where a volume key comes from, and what becomes of it. */
static int check_keys(const struct options *o)
{
	const bool old_given = o->keys.volume_key_file || o->keys.volume_key_keyring;
	const bool new_given = o->keys.new_volume_key_file || o->keys.new_volume_key_keyring;

	if (o->rotation.keep_key && o->keys.new_volume_key_file)
		return refuse("--keep-key and --new-volume-key-file exclude each other");
	if (o->rotation.keep_key && o->keys.new_volume_key_keyring)
		return refuse("--keep-key and --new-volume-key-keyring exclude each other");
	if (o->keys.volume_key_file && o->keys.volume_key_keyring)
		return refuse("--volume-key-file and --volume-key-keyring exclude each other");
	if (o->keys.new_volume_key_file && o->keys.new_volume_key_keyring)
		return refuse("--new-volume-key-file and --new-volume-key-keyring exclude each "
			      "other");
	if (o->keys.key_file && o->keys.key_description)
		return refuse("--key-file and --key-description exclude each other");
	if (o->keys.no_keyslots && !(old_given && new_given))
		return refuse("--force-no-keyslots leaves no way to open the volume but the new "
			      "volume key: give the current key with --volume-key-file (or "
			      "--volume-key-keyring) and the new one with --new-volume-key-file "
			      "(or --new-volume-key-keyring)");
	if (is_standard_input(o->keys.key_file) + is_standard_input(o->keys.volume_key_file) +
		    is_standard_input(o->keys.new_volume_key_file) >
	    1)
		return refuse("standard input can be only one of --key-file, --volume-key-file "
			      "and --new-volume-key-file");
	return 0;
}

int options_check(const struct options *o)
{
	int r = check_governor(o);

	if (r < 0)
		return r;
	r = check_remote(o);
	if (r < 0)
		return r;
	r = check_unlock(o);
	if (r < 0)
		return r;
	r = check_wait(o);
	if (r < 0)
		return r;
	r = rotation_check(&o->rotation);
	if (r < 0)
		return r;
	if (o->init_only && o->resume_only)
		return refuse("--init-only and --resume-only exclude each other");
	if (o->target.ignore_own_header && !o->target.header)
		return refuse("--ignore-own-header is for a detached header: give --header");
	if (o->target.ignore_own_header && o->daemon.remote)
		return refuse("--ignore-own-header and --remote exclude each other");
	if (o->rotation.force_offline && o->target.active_name)
		return refuse("--force-offline-reencrypt and --active-name exclude each other");
	return check_keys(o);
}

/* Before the rules between options. */
static int check_expected(const struct options *o)
{
	char uuid[UUID_TEXT_SIZE];

	if (o->target.type && strcmp(o->target.type, "luks2") != 0 &&
	    strcmp(o->target.type, "luks") != 0) {
		log_error("--type %s is refused: recryptctl re-encrypts LUKS2 volumes only%s",
			  o->target.type,
			  strcmp(o->target.type, "luks1") == 0
				  ? "; convert a LUKS1 volume with: cryptsetup convert --type luks2"
				  : "");
		return -ENOTSUP;
	}
	if (o->target.uuid && uuid_canonical(o->target.uuid, uuid) < 0) {
		log_error("--uuid \"%s\" is not a UUID, such as "
			  "12345678-1234-1234-1234-123456789abc",
			  o->target.uuid);
		return -EINVAL;
	}
	return 0;
}

/*
 * --key-size alone is the new key's. Beside --new-key-size it is that of the current key, as in
 * cryptsetup 2.8.
 */
static void settle_key_sizes(struct options *o)
{
	if (o->keys.new_key_size == 0)
		return;
	o->keys.old_key_size = o->rotation.key_size;
	o->rotation.key_size = o->keys.new_key_size;
}

void options_tell_ignored(const struct options *o)
{
	for (size_t i = 0; option_specs[i].name; i++) {
		const struct option_spec *s = &option_specs[i];

		if (!(o->ignored[i / 64] & UINT64_C(1) << i % 64))
			continue;
		if (s->min > 0)
			log_notice("--%s is ignored: %s", s->name, s->help);
		else
			log_info("--%s is ignored: %s", s->name, s->help);
	}
}

static bool is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-?") == 0 || strcmp(arg, "--usage") == 0;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		if (is_help(argv[i]))
			return true;
	return false;
}

static int refuse_verb(const char *name)
{
	const char *names[OPTIONS_MAX];
	const char *meant;
	size_t n = 0;

	for (const struct verb_spec *v = verb_specs; v->name; v++)
		if (v->help)
			names[n++] = v->name;
	names[n] = NULL;
	meant = closest_name(name, names);
	if (meant)
		log_error("unknown verb \"%s\"; did you mean \"%s\"?", name, meant);
	else
		log_error("unknown verb \"%s\"; recryptctl --help lists the verbs", name);
	return -EINVAL;
}

static int check_all(const struct options *o)
{
	int r = check_operands(o);

	if (r < 0)
		return r;
	r = check_expected(o);
	return r < 0 ? r : options_check(o);
}

/* Of a command line that asks for help, with or without a verb. */
static int parse_help(int argc, char **argv, struct options *o)
{
	const struct verb_spec *v = verb_find(argv[1]);

	o->verb = o->help_of = VERB_HELP;
	if (v && v->verb != VERB_HELP) {
		o->help_of = v->verb;
		return 0;
	}
	if (!v || argc < 3 || *argv[2] == '-')
		return 0;
	v = verb_find(argv[2]);
	if (!v)
		return refuse_verb(argv[2]);
	o->help_of = v->verb;
	return 0;
}

/* The words of another command line, which is not complete. */
static int parse_complete(int argc, char **argv, struct options *o)
{
	if (argc < 3)
		return refuse(NO_VERB);
	o->target.operands = argv + 2;
	o->target.device = argv[2];
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret)
{
	struct options o = OPTIONS_NONE;
	const struct verb_spec *v;
	int r;

	if (argc < 2)
		return refuse(NO_VERB);
	o.keys.tries = 3;
	o.rotation.may_weaken = true; /* a person chooses */
	v = verb_find(argv[1]);
	if (v && v->verb == VERB_COMPLETE) {
		o.verb = v->verb;
		r = parse_complete(argc, argv, &o);
		if (r >= 0)
			*ret = o;
		return r;
	}
	if ((v && v->verb == VERB_HELP) || wants_help(argc, argv) || strcmp(argv[1], "-h") == 0) {
		if (!v && *argv[1] != '-')
			return refuse_verb(argv[1]);
		r = parse_help(argc, argv, &o);
		if (r >= 0)
			*ret = o;
		return r;
	}
	if (!v && *argv[1] == '-') {
		r = move_verb(argc, argv);
		if (r < 0)
			return r;
		v = verb_find(argv[1]);
	}
	if (!v)
		return refuse_verb(argv[1]);
	o.verb = v->verb;
	if (o.verb != VERB_VERSION) {
		r = parse_verb_options(argc - 1, argv + 1, v->max, &o);
		if (r < 0)
			return r;
		settle_key_sizes(&o);
		r = check_all(&o);
		if (r < 0)
			return r;
	}
	*ret = o;
	return 0;
}
