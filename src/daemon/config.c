/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads the files line by line into the sections; what a setting means stands in one table. */
#include "daemon/config.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/checked.h"
#include "util/log.h"
#include "util/path-text.h"
#include "util/uuid.h"
#include "worker/options.h"

#define DEFAULT_STALL_TARGET  UINT64_C(50000)             /* 50 ms */
#define KEY_TIMEOUT_MAX       (UINT64_C(86400) * 1000000) /* a day */
#define DEFAULT_KEY_TIMEOUT   (OPTION_KEY_TIMEOUT * UINT64_C(1000000))
#define PROBE_TIMEOUT_MAX     (UINT64_C(86400) * 1000000) /* a day */
#define DEFAULT_PROBE_TIMEOUT UINT64_C(30000000)          /* 30 s */

/* Where a line stands. */
struct place {
	struct config *config;
	const char *path;
	unsigned line;
	bool state_file;
	enum { SECTION_NONE, SECTION_MANAGER, SECTION_VOLUME } section;
	struct volume_config *volume;
};

static void warn(const struct place *p, const char *what, const char *text)
{
	log_warning("%s:%u: %s \"%s\" is ignored", p->path, p->line, what, text);
}

static int set_string(char **target, const char *value)
{
	char *copy = NULL;

	if (*value) {
		copy = strdup(value);
		if (!copy)
			return -ENOMEM;
	}
	free(*target);
	*target = copy;
	return 0;
}

static int set_path(char **target, const char *value)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (!*value)
		return set_string(target, value);
	r = path_from_text(value, &path);
	return r < 0 ? r : set_string(target, path);
}

static int set_count(unsigned *target, const char *value)
{
	char *end;
	unsigned long n;

	if (!isdigit((unsigned char)*value))
		return -EINVAL;
	errno = 0;
	n = strtoul(value, &end, 10);
	if (errno || *end || n > 65536)
		return -EINVAL;
	*target = (unsigned)n;
	return 0;
}

static int set_token(int *target, const char *value)
{
	unsigned n;

	if (strcmp(value, "any") == 0) {
		*target = -1;
		return 0;
	}
	if (set_count(&n, value) < 0 || n > 31)
		return -EINVAL;
	*target = (int)n;
	return 0;
}

static int set_threads(unsigned *target, const char *value)
{
	unsigned n;

	if (set_count(&n, value) < 0 || n > OPTION_THREADS_MAX)
		return -EINVAL;
	*target = n;
	return 0;
}

/* 0 would be no limit at all. */
static int set_key_timeout(uint64_t *target, const char *value)
{
	uint64_t usec;
	int r = config_parse_usec(value, &usec);

	if (r < 0)
		return r;
	if (usec == 0)
		return -EINVAL;
	if (usec > KEY_TIMEOUT_MAX)
		return -ERANGE;
	*target = usec;
	return 0;
}

static int set_cost(uint32_t *target, const char *value)
{
	char *end;
	unsigned long long n;

	if (!isdigit((unsigned char)*value))
		return -EINVAL;
	errno = 0;
	n = strtoull(value, &end, 10);
	if (*end || (n > 0 && n < OPTION_KEY_COST_MIN))
		return -EINVAL;
	if (errno || n > UINT32_MAX)
		return -ERANGE;
	*target = (uint32_t)n;
	return 0;
}

static int set_provider(enum provider_kind *target, const char *value)
{
	for (unsigned i = 0; i <= PROVIDER_TOKEN; i++)
		if (strcmp(value, provider_kind_name((enum provider_kind)i)) == 0) {
			*target = (enum provider_kind)i;
			return 0;
		}
	return -EINVAL;
}

static int set_resilience(char **target, const char *value)
{
	return *value && strcmp(value, "checksum") != 0 && strcmp(value, "journal") != 0
		       ? -EINVAL
		       : set_string(target, value);
}

static int set_probe_timeout(uint64_t *target, const char *value)
{
	uint64_t usec;
	int r = config_parse_usec(value, &usec);

	if (r < 0 || usec == 0 || usec > PROBE_TIMEOUT_MAX)
		return r < 0 ? r : -ERANGE;
	*target = usec;
	return 0;
}

/* A setting of [Manager]. -ENOENT: there is none of this name. */
static int set_manager(struct place *p, const char *key, const char *value)
{
	struct config *c = p->config;

	if (strcmp(key, "RateLimit") == 0) {
		if (!p->state_file)
			return config_parse_bytes(value, &c->rate_limit);
		c->has_kept_rate = config_parse_bytes(value, &c->kept_rate_limit) == 0;
		return 0;
	}
	if (strcmp(key, "MaxConcurrent") == 0)
		return set_count(&c->max_concurrent, value);
	if (strcmp(key, "MaxConcurrentPerDisk") == 0)
		return set_count(&c->max_concurrent_per_disk, value);
	if (strcmp(key, "KeepSuspended") == 0)
		return config_parse_bool(value, &c->keep_suspended);
	if (strcmp(key, "KeepRate") == 0)
		return config_parse_bool(value, &c->keep_rate);
	if (strcmp(key, "DiscoverActive") == 0)
		return config_parse_bool(value, &c->discover_active);
	if (strcmp(key, "DiscoverCryptTab") == 0)
		return config_parse_bool(value, &c->discover_crypttab);
	if (strcmp(key, "ProbeTimeout") == 0)
		return set_probe_timeout(&c->probe_timeout_usec, value);
	if (strcmp(key, "CryptTab") == 0)
		return set_path(&c->crypttab, value);
	return -ENOENT;
}

enum setting {
	SET_DEVICE,
	SET_HEADER_DEVICE,
	SET_DEVICE_ID,
	SET_NAME,
	SET_GROUP,
	SET_RATE_LIMIT,
	SET_STALL_TARGET,
	SET_HOTZONE_SIZE_MAX,
	SET_THREADS,
	SET_SKIP_UNWRITTEN,
	SET_VERIFY,
	SET_ALLOW_SHARED_FILES,
	SET_RESILIENCE,
	SET_RESILIENCE_HASH,
	SET_KEY_PROVIDER,
	SET_KEY_FILE,
	SET_CREDENTIAL,
	SET_KEYRING_KEY,
	SET_TOKEN,
	SET_KEY_TIMEOUT,
	SET_KEY_MEMORY_MAX,
	SET_KEY_COST_MAX,
};

static int set_volume(struct volume_config *v, enum setting setting, const char *value)
{
	switch (setting) {
	case SET_DEVICE:
		return set_path(&v->device, value);
	case SET_HEADER_DEVICE:
		return set_path(&v->header_device, value);
	case SET_DEVICE_ID:
		return set_string(&v->device_id, value);
	case SET_NAME:
		return set_string(&v->name, value);
	case SET_GROUP:
		return set_string(&v->group, value);
	case SET_RATE_LIMIT:
		return config_parse_bytes(value, &v->rate_limit);
	case SET_STALL_TARGET:
		return config_parse_usec(value, &v->stall_target_usec);
	case SET_HOTZONE_SIZE_MAX:
		return config_parse_bytes(value, &v->hotzone_size_max);
	case SET_THREADS:
		return set_threads(&v->threads, value);
	case SET_SKIP_UNWRITTEN:
		return config_parse_bool(value, &v->skip_unwritten);
	case SET_VERIFY:
		return config_parse_bool(value, &v->verify);
	case SET_ALLOW_SHARED_FILES:
		return config_parse_bool(value, &v->allow_shared_files);
	case SET_RESILIENCE:
		return set_resilience(&v->resilience, value);
	case SET_RESILIENCE_HASH:
		return set_string(&v->resilience_hash, value);
	case SET_KEY_PROVIDER:
		return set_provider(&v->provider.kind, value);
	case SET_KEY_FILE:
		return set_path(&v->provider.key_file, value);
	case SET_CREDENTIAL:
		return set_string(&v->provider.credential, value);
	case SET_KEYRING_KEY:
		return set_string(&v->provider.keyring_key, value);
	case SET_TOKEN:
		return set_token(&v->provider.token, value);
	case SET_KEY_TIMEOUT:
		return set_key_timeout(&v->provider.timeout_usec, value);
	case SET_KEY_MEMORY_MAX:
		return config_parse_bytes(value, &v->key_memory_max);
	case SET_KEY_COST_MAX:
		return set_cost(&v->key_cost_max, value);
	default:
		return -ENOENT;
	}
}

static int find_setting(const char *key, enum setting *ret)
{
	static const char *const names[] = {
		[SET_DEVICE] = "Device",
		[SET_HEADER_DEVICE] = "HeaderDevice",
		[SET_DEVICE_ID] = "DeviceId",
		[SET_NAME] = "Name",
		[SET_GROUP] = "Group",
		[SET_RATE_LIMIT] = "RateLimit",
		[SET_STALL_TARGET] = "StallTarget",
		[SET_HOTZONE_SIZE_MAX] = "HotzoneSizeMax",
		[SET_THREADS] = "Threads",
		[SET_SKIP_UNWRITTEN] = "SkipUnwritten",
		[SET_VERIFY] = "Verify",
		[SET_ALLOW_SHARED_FILES] = "AllowSharedFiles",
		[SET_RESILIENCE] = "Resilience",
		[SET_RESILIENCE_HASH] = "ResilienceHash",
		[SET_KEY_PROVIDER] = "KeyProvider",
		[SET_KEY_FILE] = "KeyFile",
		[SET_CREDENTIAL] = "Credential",
		[SET_KEYRING_KEY] = "KeyringKey",
		[SET_TOKEN] = "Token",
		[SET_KEY_TIMEOUT] = "KeyTimeout",
		[SET_KEY_MEMORY_MAX] = "KeyMemoryMax",
		[SET_KEY_COST_MAX] = "KeyCostMax",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], key) == 0) {
			*ret = (enum setting)i;
			return 0;
		}
	return -ENOENT;
}

/* -ENOENT also for what makes sense for one volume only, in the section of the defaults. */
static int set_in_volume(struct place *p, const char *key, const char *value)
{
	enum setting setting;
	int r = politeness_set(&p->volume->polite, key, value);

	if (r != -ENOENT)
		return r;
	r = find_setting(key, &setting);
	if (r < 0 || (!*p->volume->uuid && setting <= SET_NAME) ||
	    (setting == SET_DEVICE_ID && !p->state_file))
		return -ENOENT;
	r = set_volume(p->volume, setting, value);
	if (r == 0)
		p->volume->set |= UINT32_C(1) << setting;
	return r;
}

static int add_section(struct config *c, const char *uuid, struct volume_config **ret)
{
	struct volume_config *v = config_find_volume(c, uuid), *grown;

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
	if (r == 0)
		r = add_section(p->config, uuid, &p->volume);
	if (r == 0)
		p->volume->remembered = p->volume->remembered && p->state_file;
	return r;
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
		warn(p, "the unknown section", name);
		r = 0;
	}
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
		warn(p, "the line without \"=\"", line);
		return 0;
	}
	*value++ = '\0';
	line = strip(line);
	value = strip(value);
	if (p->section == SECTION_NONE)
		r = -ENOENT;
	else if (p->section == SECTION_MANAGER)
		r = set_manager(p, line, value);
	else
		r = set_in_volume(p, line, value);
	if (r == -ENOENT)
		warn(p, "the unknown setting", line);
	else if (r == -EINVAL || r == -ERANGE || r == -E2BIG)
		log_warning("%s:%u: the value \"%s\" of %s is ignored: it is %s", p->path, p->line,
			    value, line,
			    r == -ERANGE  ? "too large"
			    : r == -E2BIG ? "one too many"
					  : "not understood");
	return r == -ENOMEM ? r : 0;
}

static int parse_file(struct config *c, const char *path, bool state_file)
{
	struct place p = {.config = c, .path = path, .state_file = state_file};
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	FILE *f = fopen(path, "re");
	int r = 0;

	if (!f)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : log_error_errno(-errno, "%s: cannot be read", path);
	while (r == 0 && getline(&line, &size, f) >= 0) {
		p.line++;
		r = parse_line(&p, line);
	}
	if (r == 0 && ferror(f))
		r = log_error_errno(-EIO, "%s: cannot be read", path);
	(void)fclose(f);
	return r;
}

static int parse_drop_ins(struct config *c, const char *path)
{
	char pattern[PATH_MAX];
	glob_t found;
	int r;

	if ((size_t)snprintf(pattern, sizeof(pattern), "%s.d/*.conf", path) >= sizeof(pattern))
		return log_error_errno(-ENAMETOOLONG, "%s: cannot be read", path);
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

/* What the section of a volume leaves out is as in the defaults. */
static int inherit(struct volume_config *v, const struct volume_config *d)
{
	const uint32_t provider = UINT32_C(1) << SET_KEY_PROVIDER;
	int r = politeness_inherit(&v->polite, &d->polite);

	if (r == 0 && !(v->set & UINT32_C(1) << SET_GROUP) && d->group)
		r = set_string(&v->group, d->group);
	if (!(v->set & UINT32_C(1) << SET_RATE_LIMIT))
		v->rate_limit = d->rate_limit;
	if (!(v->set & UINT32_C(1) << SET_STALL_TARGET))
		v->stall_target_usec = d->stall_target_usec;
	if (!(v->set & UINT32_C(1) << SET_HOTZONE_SIZE_MAX))
		v->hotzone_size_max = d->hotzone_size_max;
	if (!(v->set & UINT32_C(1) << SET_THREADS))
		v->threads = d->threads;
	if (!(v->set & UINT32_C(1) << SET_SKIP_UNWRITTEN))
		v->skip_unwritten = d->skip_unwritten;
	if (!(v->set & UINT32_C(1) << SET_VERIFY))
		v->verify = d->verify;
	if (!(v->set & UINT32_C(1) << SET_ALLOW_SHARED_FILES))
		v->allow_shared_files = d->allow_shared_files;
	if (r == 0 && !(v->set & UINT32_C(1) << SET_RESILIENCE) && d->resilience)
		r = set_string(&v->resilience, d->resilience);
	if (r == 0 && !(v->set & UINT32_C(1) << SET_RESILIENCE_HASH) && d->resilience_hash)
		r = set_string(&v->resilience_hash, d->resilience_hash);
	if (!(v->set & provider))
		v->provider.kind = d->provider.kind;
	if (!(v->set & UINT32_C(1) << SET_TOKEN))
		v->provider.token = d->provider.token;
	if (!(v->set & UINT32_C(1) << SET_KEY_TIMEOUT))
		v->provider.timeout_usec = d->provider.timeout_usec;
	if (!(v->set & UINT32_C(1) << SET_KEY_MEMORY_MAX))
		v->key_memory_max = d->key_memory_max;
	if (!(v->set & UINT32_C(1) << SET_KEY_COST_MAX))
		v->key_cost_max = d->key_cost_max;
	if (r == 0 && !v->provider.key_file && d->provider.key_file)
		r = set_string(&v->provider.key_file, d->provider.key_file);
	if (r == 0 && !v->provider.credential && d->provider.credential)
		r = set_string(&v->provider.credential, d->provider.credential);
	if (r == 0 && !v->provider.keyring_key && d->provider.keyring_key)
		r = set_string(&v->provider.keyring_key, d->provider.keyring_key);
	return r;
}

static int set_defaults(struct config *c)
{
	c->keep_suspended = c->keep_rate = true;
	c->discover_active = c->discover_crypttab = true;
	c->max_concurrent_per_disk = 1;
	c->probe_timeout_usec = DEFAULT_PROBE_TIMEOUT;
	c->defaults.stall_target_usec = DEFAULT_STALL_TARGET;
	c->defaults.polite = politeness_defaults;
	c->defaults.provider.token = -1;
	c->defaults.provider.timeout_usec = DEFAULT_KEY_TIMEOUT;
	return set_string(&c->crypttab, "/etc/crypttab");
}

int config_load(const char *path, const char *state_path, struct config **ret)
{
	_cleanup_(config_freep) struct config *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	r = set_defaults(c);
	if (r == 0 && state_path)
		r = parse_file(c, state_path, true);
	if (r == 0)
		r = parse_file(c, path, false);
	if (r == 0)
		r = parse_drop_ins(c, path);
	for (size_t i = 0; r == 0 && i < c->n_volumes; i++)
		r = inherit(&c->volumes[i], &c->defaults);
	if (r < 0)
		return r;
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
	r = set_string(&v->device, device);
	if (r == 0)
		r = set_string(&v->header_device, header_device ? header_device : "");
	if (r == 0)
		r = set_string(&v->name, name ? name : "");
	if (r == 0)
		r = inherit(v, &c->defaults);
	return r;
}

bool config_set_device_id(struct config *c, const char *uuid, const char *id)
{
	struct volume_config *v;

	if (!*id && !config_find_volume(c, uuid))
		return false;
	if (add_section(c, uuid, &v) < 0 || strcmp(v->device_id ? v->device_id : "", id) == 0)
		return false;
	return set_string(&v->device_id, id) == 0 && inherit(v, &c->defaults) == 0;
}
