/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads the files line by line into the sections; config-volume.c has the settings of a volume. */
#include "daemon/state/config-internal.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pace/stall.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/closest.h"
#include "util/log.h"
#include "util/path-text.h"
#include "util/uuid.h"
#include "cli/options.h"

#define DEFAULT_KEY_TIMEOUT   (OPTION_KEY_TIMEOUT * UINT64_C(1000000))
#define DEFAULT_PROBE_TIMEOUT UINT64_C(30000000) /* 30 s */

/* Where a line stands. */
struct place {
	struct config *config;
	const char *path;
	struct config_origin origin;
	bool state_file;
	enum { SECTION_NONE, SECTION_MANAGER, SECTION_VOLUME } section;
	struct volume_config *volume;
};

__attribute__((format(printf, 2, 3))) static void ignore(struct place *p, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	p->config->ignored++;
	log_warning("%s:%u: %s", p->path, p->origin.line, text ? text : "is ignored");
}

#define COUNT_MAX              65536 /* nobody has more volumes */
#define ROW(name, kind, field) CONFIG_ROW(config, name, kind, field)

const struct config_row manager_config_rows[] = {
	{ROW("RateLimit", CONFIG_RATE, rate_limit)},
	{ROW("MaxConcurrent", CONFIG_NUMBER, max_concurrent), .most = COUNT_MAX},
	{ROW("MaxConcurrentPerDisk", CONFIG_NUMBER, max_concurrent_per_disk), .most = COUNT_MAX},
	{ROW("KeepSuspended", CONFIG_BOOL, keep_suspended)},
	{ROW("KeepRate", CONFIG_BOOL, keep_rate)},
	{ROW("DiscoverActive", CONFIG_BOOL, discover_active)},
	{ROW("DiscoverCryptTab", CONFIG_BOOL, discover_crypttab)},
	{ROW("ProbeTimeout", CONFIG_TIME, probe_timeout_usec), .least = 1, .most = CONFIG_DAY},
	{ROW("CryptTab", CONFIG_PATH, crypttab)},
	{ROW("OnEvent", CONFIG_ON_EVENT, on_event)},
	{},
};

/* A setting of [Manager]. -ENOENT: there is none of this name. */
static int set_manager(struct place *p, const char *key, const char *value)
{
	const struct config_row *row = config_row_find(manager_config_rows, key);
	struct config *c = p->config;
	int r;

	if (p->state_file && strcmp(key, "RateLimit") == 0) {
		c->has_kept_rate = config_parse_bytes(value, &c->kept_rate_limit) == 0;
		return 0;
	}
	r = row ? config_row_set(row, c, value) : -ENOENT;
	if (r < 0)
		return r;
	c->from[row - manager_config_rows] = p->origin;
	return 0;
}

/* -ENOENT also for what makes sense for one volume only, in the section of the defaults. */
static int set_in_volume(struct place *p, const char *key, const char *value)
{
	int r = volume_config_set_polite(p->volume, key, value, p->origin);

	return r != -ENOENT ? r
			    : volume_config_set(p->volume, key, value, p->state_file, p->origin);
}

static int add_section(struct config *c, const char *uuid, struct volume_config **ret)
{
	struct volume_config *v = config_find_volume(c, uuid), *grown;

	assert(strlen(uuid) + 1 == sizeof(v->uuid));
	if (!v) {
		grown = reallocarray(c->volumes, c->n_volumes + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		c->volumes = grown;
		v = &grown[c->n_volumes++];
		*v = (struct volume_config){.remembered = true};
		(void)snprintf(v->uuid, sizeof(v->uuid), "%s", uuid);
	}
	*ret = v;
	return 0;
}

/* "" is the section of the defaults. */
static int open_section(struct place *p, const char *uuid_text)
{
	char uuid[37];
	int r;

	p->section = SECTION_VOLUME;
	if (!*uuid_text) {
		p->volume = &p->config->defaults;
		return 0;
	}
	r = uuid_canonical(uuid_text, uuid);
	if (r < 0)
		return r;
	r = add_section(p->config, uuid, &p->volume);
	if (r < 0)
		return r;
	p->volume->remembered = p->volume->remembered && p->state_file;
	if (!p->state_file)
		p->volume->from.section = p->origin;
	return 0;
}

static char *strip(char *text)
{
	size_t n;

	while (isspace((unsigned char)*text))
		text++;
	for (n = strlen(text); n > 0 && isspace((unsigned char)text[n - 1]); n--)
		text[n - 1] = '\0';
	return text;
}

static int parse_section(struct place *p, char *line)
{
	const size_t n = strlen(line);
	char *name = line + 1;
	int r = -EINVAL;

	assert(*line == '[');
	p->section = SECTION_NONE;
	if (line[n - 1] == ']') {
		line[n - 1] = '\0';
		if (strcmp(name, "Manager") == 0) {
			p->section = SECTION_MANAGER;
			r = 0;
		} else if (strncmp(name, "Volume", 6) == 0 && (!name[6] || name[6] == ' ')) {
			r = open_section(p, strip(name + 6));
		}
	}
	if (r == -EINVAL) {
		p->section = SECTION_NONE;
		ignore(p,
		       "the unknown section [%s] is ignored; sections are [Manager], [Volume] and "
		       "[Volume UUID]",
		       name);
		r = 0;
	}
	return r;
}

static bool is_for_people(const struct config_row *rows, const char *key)
{
	const struct config_row *row = config_row_find(rows, key);

	return row && row->scope != CONFIG_OF_STATE_FILE;
}

/* A setting that this section does not have: of another one, or a slip. */
static void ignore_unknown(struct place *p, const char *key)
{
	const char *names[3 * CONFIG_ROWS_MAX] = {}, *meant;
	const struct config_row *const tables[] = {manager_config_rows, volume_config_rows,
						   politeness_rows};
	size_t n = 0;

	if (p->section == SECTION_VOLUME && config_row_find(manager_config_rows, key)) {
		ignore(p, "%s= is ignored here: its section is [Manager]", key);
		return;
	}
	if (p->section != SECTION_NONE &&
	    (is_for_people(volume_config_rows, key) || config_row_find(politeness_rows, key))) {
		ignore(p, "%s= is ignored here: its section is [Volume%s]", key,
		       p->section == SECTION_VOLUME ? " UUID" : "");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct config_row *row = tables[i]; row->name; row++)
			if (row->scope != CONFIG_OF_STATE_FILE)
				names[n++] = row->name;
	meant = p->section == SECTION_NONE ? NULL : closest_name(key, names);
	ignore(p, "the unknown setting %s= is ignored%s%s%s", key, meant ? "; did you mean " : "",
	       meant ? meant : "", meant ? "=?" : "");
}

static void ignore_value(struct place *p, const char *key, const char *value, int error)
{
	const struct config_row *row = config_row_find(
		p->section == SECTION_MANAGER ? manager_config_rows : volume_config_rows, key);
	char hint[160];

	config_row_hint(row ? row : config_row_find(politeness_rows, key), error, value, hint,
			sizeof(hint));
	ignore(p, "%s=%s is ignored: %s", key, value, hint);
}

static int parse_setting(struct place *p, const char *key, const char *value)
{
	int r;

	if (p->section == SECTION_NONE)
		return -ENOENT;
	r = p->section == SECTION_MANAGER ? set_manager(p, key, value)
					  : set_in_volume(p, key, value);
	if (r == -EINVAL || r == -ERANGE || r == -E2BIG || r == -EDOM)
		ignore_value(p, key, value, r);
	return r;
}

static int parse_line(struct place *p, char *line)
{
	char *value;
	int r;

	line = strip(line);
	if (!*line || *line == '#' || *line == ';')
		return 0;
	if (*line == '[')
		return parse_section(p, line);
	value = strchr(line, '=');
	if (!value) {
		ignore(p, "the line \"%s\" without \"=\" is ignored", line);
		return 0;
	}
	*value++ = '\0';
	line = strip(line);
	value = strip(value);
	r = parse_setting(p, line, value);
	if (r == -ENOENT)
		ignore_unknown(p, line);
	return r == -ENOMEM ? r : 0;
}

static int parse_lines(struct place *p, FILE *f)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, f) >= 0) {
		int r;

		p->origin.line++;
		r = parse_line(p, line);
		if (r < 0)
			return r;
	}
	return ferror(f) ? log_refusal(-EIO, "%s: cannot be read to its end", p->path) : 0;
}

static int add_file(struct config *c, const char *path)
{
	char **grown = reallocarray(c->files, c->n_files + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	c->files = grown;
	grown[c->n_files] = strdup(path);
	if (!grown[c->n_files])
		return -ENOMEM;
	c->n_files++;
	return 0;
}

static int parse_file(struct config *c, const char *path, bool state_file)
{
	struct place p = {.config = c,
			  .path = path,
			  .origin.file = (unsigned)c->n_files,
			  .state_file = state_file};
	FILE *f;
	int r = add_file(c, path);

	if (r < 0)
		return r;
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : log_error_errno(-errno, "%s: cannot be read", path);
	r = parse_lines(&p, f);
	(void)fclose(f);
	return r;
}

static int parse_drop_ins(struct config *c, const char *path)
{
	char pattern[PATH_MAX];
	glob_t found;
	int r;

	if ((size_t)snprintf(pattern, sizeof(pattern), "%s.d/*.conf", path) >= sizeof(pattern))
		return log_refusal(-ENAMETOOLONG, "%s: the path is too long", path);
	r = glob(pattern, 0, NULL, &found); /* sorts */
	if (r == GLOB_NOMATCH)
		return 0;
	if (r != 0)
		return log_error_errno(r == GLOB_NOSPACE ? -ENOMEM : -EIO, "%s: cannot be listed",
				       pattern);
	for (size_t i = 0; r == 0 && i < found.gl_pathc; i++)
		r = parse_file(c, found.gl_pathv[i], false);
	globfree(&found);
	return r;
}

static int set_defaults(struct config *c)
{
	c->keep_suspended = c->keep_rate = true;
	c->discover_active = c->discover_crypttab = true;
	c->max_concurrent_per_disk = 1;
	c->probe_timeout_usec = DEFAULT_PROBE_TIMEOUT;
	c->defaults.stall_target_usec = STALL_DEFAULT_TARGET;
	c->defaults.polite = politeness_defaults;
	c->defaults.provider.token = -1;
	c->defaults.provider.timeout_usec = DEFAULT_KEY_TIMEOUT;
	return config_set_text(&c->crypttab, "/etc/crypttab");
}

/* Later files win over earlier ones. @state_path may be NULL. */
static int parse_all(struct config *c, const char *path, const char *state_path)
{
	int r = state_path ? parse_file(c, state_path, true) : 0;

	if (r < 0)
		return r;
	r = parse_file(c, path, false);
	return r < 0 ? r : parse_drop_ins(c, path);
}

int config_load(const char *path, const char *state_path, struct config **ret)
{
	_cleanup_(config_freep) struct config *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	r = set_defaults(c);
	if (r < 0)
		return r;
	r = parse_all(c, path, state_path);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->n_volumes; i++) {
		r = volume_config_inherit(&c->volumes[i], &c->defaults);
		if (r < 0)
			return r;
	}
	config_check(c);
	*ret = TAKE_PTR(c);
	return 0;
}

int config_remember(struct config *c, const char *uuid, const char *device,
		    const char *header_device, const char *name)
{
	struct volume_config *v;
	int r = add_section(c, uuid, &v);

	if (r < 0 || !v->remembered)
		return r;
	if (config_set_text(&v->device, device) < 0 ||
	    config_set_text(&v->header_device, header_device ? header_device : "") < 0 ||
	    config_set_text(&v->name, name ? name : "") < 0)
		return -ENOMEM;
	return volume_config_inherit(v, &c->defaults);
}

bool config_set_device_id(struct config *c, const char *uuid, const char *id)
{
	struct volume_config *v;

	if (!*id && !config_find_volume(c, uuid))
		return false;
	if (add_section(c, uuid, &v) < 0 || strcmp(v->device_id ? v->device_id : "", id) == 0)
		return false;
	return config_set_text(&v->device_id, id) == 0 &&
	       volume_config_inherit(v, &c->defaults) == 0;
}
