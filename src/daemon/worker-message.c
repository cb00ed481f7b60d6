/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/worker-message.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/bus-text.h"
#include "model/settings-bus.h"
#include "util/checked.h"
#include "util/path-text.h"
#include "util/uuid.h"
#include "util/text.h"

/* One entry of an a{sv}: what it is called, of which type, and where its value goes. */
enum field_kind {
	FIELD_TEXT,
	FIELD_BUFFER,
	FIELD_U32,
	FIELD_U64,
	FIELD_BOOL,
	FIELD_STRINGS,
	FIELD_U32S
};

struct field {
	const char *name;
	enum field_kind kind;
	void *target;
	size_t size;   /* of a buffer or an array, in elements */
	size_t *count; /* of FIELD_U32S */
};

static const char *field_type(enum field_kind kind)
{
	static const char *const types[] = {
		[FIELD_TEXT] = "s", [FIELD_BUFFER] = "s",   [FIELD_U32] = "u",   [FIELD_U64] = "t",
		[FIELD_BOOL] = "b", [FIELD_STRINGS] = "as", [FIELD_U32S] = "au",
	};

	return types[kind];
}

static int read_text(sd_bus_message *m, char **target)
{
	const char *text;
	int r = sd_bus_message_read_basic(m, 's', &text);
	char *copy;

	if (r < 0)
		return r;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*target);
	*target = copy;
	return 0;
}

static void free_strings(char **strings)
{
	for (char **s = strings; s && *s; s++)
		free(*s);
	free(strings);
}

static int read_u32s(sd_bus_message *m, const struct field *f)
{
	const void *array;
	size_t bytes;
	int r = sd_bus_message_read_array(m, 'u', &array, &bytes);

	if (r < 0)
		return r;
	*f->count = MIN(bytes / sizeof(uint32_t), f->size);
	if (*f->count > 0)
		memcpy(f->target, array, *f->count * sizeof(uint32_t));
	return 0;
}

static int read_value(sd_bus_message *m, const struct field *f)
{
	const char *text;
	char **strings = NULL;
	int r, truth;

	switch (f->kind) {
	case FIELD_TEXT:
		return read_text(m, f->target);
	case FIELD_BUFFER:
		r = sd_bus_message_read_basic(m, 's', &text);
		if (r >= 0)
			(void)text_copy(f->target, f->size, text);
		return r;
	case FIELD_U32:
		return sd_bus_message_read_basic(m, 'u', f->target);
	case FIELD_U64:
		return sd_bus_message_read_basic(m, 't', f->target);
	case FIELD_BOOL:
		r = sd_bus_message_read_basic(m, 'b', &truth);
		if (r >= 0)
			*(bool *)f->target = truth != 0;
		return r;
	case FIELD_STRINGS:
		r = sd_bus_message_read_strv(m, &strings);
		if (r >= 0) {
			free_strings(*(char ***)f->target);
			*(char ***)f->target = strings;
		}
		return r;
	case FIELD_U32S:
		return read_u32s(m, f);
	default:
		return -EINVAL;
	}
}

static int read_entry(sd_bus_message *m, const struct field *fields, size_t n)
{
	const char *name, *type;
	int r = sd_bus_message_read_basic(m, 's', &name);

	if (r < 0)
		return r;
	r = sd_bus_message_peek_type(m, NULL, &type);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && fields[i].name; i++) {
		if (strcmp(fields[i].name, name) != 0)
			continue;
		if (strcmp(type, field_type(fields[i].kind)) != 0)
			return -EBADMSG;
		r = sd_bus_message_enter_container(m, 'v', type);
		if (r >= 0)
			r = read_value(m, &fields[i]);
		return r < 0 ? r : sd_bus_message_exit_container(m);
	}
	return sd_bus_message_skip(m, "v");
}

static int read_fields(sd_bus_message *m, const struct field *fields, size_t n)
{
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	if (r < 0)
		return r;
	while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		r = read_entry(m, fields, n);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

#define TEXT(n, t)                                                                                 \
	{                                                                                          \
		.name = n, .kind = FIELD_TEXT, .target = &(t)                                      \
	}
#define BUFFER(n, t)                                                                               \
	{                                                                                          \
		.name = n, .kind = FIELD_BUFFER, .target = (t), .size = sizeof(t)                  \
	}
#define U32(n, t)                                                                                  \
	{                                                                                          \
		.name = n, .kind = FIELD_U32, .target = &(t)                                       \
	}
#define U64(n, t)                                                                                  \
	{                                                                                          \
		.name = n, .kind = FIELD_U64, .target = &(t)                                       \
	}
#define BOOL(n, t)                                                                                 \
	{                                                                                          \
		.name = n, .kind = FIELD_BOOL, .target = &(t)                                      \
	}
#define U32S(n, t, c)                                                                              \
	{                                                                                          \
		.name = n, .kind = FIELD_U32S, .target = (t), .size = ARRAY_SIZE(t), .count = &(c) \
	}

static enum reencryption reencryption_by_name(const char *name)
{
	static const char *const names[] = {
		[REENCRYPTION_CLEAN] = "clean",
		[REENCRYPTION_HOT] = "hot",
		[REENCRYPTION_FINISH] = "finish",
	};

	for (size_t i = REENCRYPTION_CLEAN; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return (enum reencryption)i;
	return REENCRYPTION_NONE;
}

/* A worker that does not say has not looked. */
static enum record_trust trust_by_name(const char *name)
{
	static const char *const names[] = {
		[RECORD_NONE] = "none",
		[RECORD_UNVERIFIED] = "unverified",
		[RECORD_VERIFIED] = "verified",
		[RECORD_UNTRUSTED] = "untrusted",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return (enum record_trust)i;
	return RECORD_UNVERIFIED;
}

/* What an older worker could not write as text it has spoiled, and is no path that exists. */
static int read_path(char **text)
{
	char *path;
	int r = path_from_text(*text, &path);

	if (r < 0)
		return r == -EINVAL ? 0 : r;
	free(*text);
	*text = path;
	return 0;
}

static int complete_look(struct worker_look *l)
{
	char **const texts[] = {&l->uuid, &l->device, &l->header_device, &l->name, &l->record};
	char uuid[UUID_TEXT_SIZE];
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!*texts[i]) {
			*texts[i] = strdup("");
			if (!*texts[i])
				return -ENOMEM;
		}
	l->valid = uuid_canonical(l->uuid, uuid) == 0;
	if (l->valid) {
		free(l->uuid);
		l->uuid = strdup(uuid);
		if (!l->uuid)
			return -ENOMEM;
	}
	r = read_path(&l->device);
	return r < 0 ? r : read_path(&l->header_device);
}

int worker_message_read_end(sd_bus_message *m, struct worker_end *end)
{
	struct worker_look *l = &end->look;
	struct check_result *c = &end->check;
	char state[16] = "", outcome[16] = "", trust[16] = "";
	const struct field fields[] = {
		TEXT("UUID", l->uuid),
		TEXT("Device", l->device),
		TEXT("HeaderDevice", l->header_device),
		U64("DeviceNumber", l->node.device),
		U64("DeviceInode", l->node.inode),
		U64("HeaderNumber", l->header_node.device),
		U64("HeaderInode", l->header_node.inode),
		TEXT("Name", l->name),
		TEXT("Record", l->record),
		BUFFER("RecordTrust", trust),
		U64("Sequence", l->sequence),
		BUFFER("OldSide", l->old_side),
		BUFFER("NewSide", l->new_side),
		BUFFER("Reencryption", state),
		BUFFER("Mode", l->mode),
		BUFFER("Direction", l->direction),
		BUFFER("Resilience", l->resilience),
		BUFFER("ResilienceHash", l->resilience_hash),
		BUFFER("OldCipher", l->old_cipher),
		BUFFER("NewCipher", l->new_cipher),
		U32("OldSectorSize", l->old_sector_size),
		U32("NewSectorSize", l->new_sector_size),
		U32("NewKeySize", l->new_key_size),
		BOOL("KeepKey", l->keep_key),
		BUFFER("NewPbkdf", l->new_pbkdf),
		BUFFER("NewPbkdfHash", l->new_pbkdf_hash),
		U64("BytesTotal", l->progress.bytes_total),
		U64("BytesDone", l->progress.bytes_done),
		U64("HotzoneOffset", l->progress.hotzone_offset),
		U64("HotzoneSize", l->progress.hotzone_size),
		BOOL("Stacked", l->stacked),
		BOOL("Supported", l->supported),
		{.name = "Disks", .kind = FIELD_STRINGS, .target = &l->disks},
		BUFFER("Outcome", outcome),
		U32("OldKeySize", c->old_key_size),
		U64("EstimatedTime", c->estimated_usec),
		BUFFER("Obstacle", c->obstacle.text),
		BUFFER("ObstacleName", c->obstacle.name),
		U32S("LostKeyslots", c->lost, c->n_lost),
		U32S("KeptKeyslots", c->kept, c->n_kept),
	};
	int r;

	l->supported = true;
	r = read_fields(m, fields, ARRAY_SIZE(fields));
	if (r >= 0)
		r = complete_look(l);
	if (r < 0)
		return r;
	l->reencryption = reencryption_by_name(state);
	l->trust = trust_by_name(trust);
	end->finished = strcmp(outcome, "finished") == 0;
	(void)text_copy(c->old_cipher, sizeof(c->old_cipher), l->old_cipher);
	c->old_sector_size = l->old_sector_size;
	(void)text_copy(c->new_cipher, sizeof(c->new_cipher), l->new_cipher);
	c->new_sector_size = l->new_sector_size;
	c->new_key_size = l->new_key_size;
	c->bytes = l->progress.bytes_total;
	return 0;
}

int worker_message_read_progress(sd_bus_message *m, struct worker_progress *ret)
{
	struct worker_progress p = {};
	const struct field fields[] = {
		U64("BytesDone", p.bytes_done),
		U64("BytesTotal", p.bytes_total),
		U64("HotzoneOffset", p.hotzone_offset),
		U64("HotzoneSize", p.hotzone_size),
		U64("Rate", p.rate),
		U64("LongestStall", p.longest_stall_usec),
		U64("StallPercentile999", p.stall_999_usec),
		U64("LongestSuspend", p.longest_suspend_usec),
		U64("UnavoidableStall", p.unavoidable_stall_usec),
		U64("GovernorRate", p.governor_rate),
		BUFFER("GovernorReason", p.governor_reason),
	};
	int r = read_fields(m, fields, ARRAY_SIZE(fields));

	if (r >= 0)
		*ret = p;
	return r;
}

#define STATUS_FIELDS_MAX 24

/* Behind those that are there. */
static void add_run_fields(struct field *fields, struct run_options *run)
{
	size_t n = 0;

	while (fields[n].name)
		n++;
	for (const struct setting *s = run_settings; s->name; s++) {
		if (!(s->places & SETTING_OF_STATUS))
			continue;
		assert(s->kind == SETTING_BOOL && n < STATUS_FIELDS_MAX);
		fields[n++] = (struct field){
			.name = s->name, .kind = FIELD_BOOL, .target = (char *)run + s->where};
	}
}

int worker_message_read_status(sd_bus_message *m, struct worker_status *ret)
{
	struct worker_status s = {};
	struct worker_progress *p = &s.progress;
	char job[16] = "", version[32] = "";
	uint32_t passphrases = 0;
	struct field fields[STATUS_FIELDS_MAX] = {
		BUFFER("Job", job),
		BUFFER("Version", version),
		BOOL("Unlocked", s.unlocked),
		U32("Passphrases", passphrases),
		U64("BytesDone", p->bytes_done),
		U64("BytesTotal", p->bytes_total),
		U64("HotzoneOffset", p->hotzone_offset),
		U64("HotzoneSize", p->hotzone_size),
		U64("Rate", p->rate),
		U64("LongestStall", p->longest_stall_usec),
		U64("StallPercentile999", p->stall_999_usec),
		U64("LongestSuspend", p->longest_suspend_usec),
		U64("UnavoidableStall", p->unavoidable_stall_usec),
	};
	int r;

	add_run_fields(fields, &s.run);
	r = read_fields(m, fields, STATUS_FIELDS_MAX);
	if (r < 0)
		return r;
	s.job = worker_job_by_name(job);
	s.other_version = strcmp(version, PACKAGE_VERSION) != 0;
	s.passphrases = passphrases;
	*ret = s;
	return 0;
}

void worker_look_clear(struct worker_look *l)
{
	free(l->uuid);
	free(l->device);
	free(l->header_device);
	free(l->name);
	free(l->record);
	free_strings(l->disks);
	*l = (struct worker_look){};
}

static int open_entry(sd_bus_message *m, const char *name, const char *type)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", name);
	return r < 0 ? r : sd_bus_message_open_container(m, 'v', type);
}

static int close_entry(sd_bus_message *m)
{
	int r = sd_bus_message_close_container(m);

	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_text(sd_bus_message *m, const char *name, const char *text)
{
	int r;

	if (!*text)
		return 0;
	r = open_entry(m, name, "s");
	if (r >= 0)
		r = bus_append_text(m, text);
	return r < 0 ? r : close_entry(m);
}

/* The name of a file or key: the worker needs its bytes, which may be no valid text. */
static int append_bytes(sd_bus_message *m, const char *name, const char *bytes)
{
	int r;

	if (text_is_valid(bytes))
		return append_text(m, name, bytes);
	r = open_entry(m, name, "ay");
	if (r >= 0)
		r = sd_bus_message_append_array(m, 'y', bytes, strlen(bytes));
	return r < 0 ? r : close_entry(m);
}

int worker_message_append_rotate(sd_bus_message *m, const struct rotate_options *options,
				 const struct run_options *run)
{
	const struct settings_source sources[] = {
		{rotation_settings, options}, {run_settings, run}, {}};

	return settings_append(m, sources, SETTING_OF_WORKER);
}

int worker_message_append_run(sd_bus_message *m, const struct run_options *run)
{
	const struct settings_source sources[] = {{run_settings, run}, {}};

	return settings_append(m, sources, SETTING_OF_RUN);
}

int worker_message_append_identity(sd_bus_message *m, const struct identity *i)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r >= 0)
		r = append_text(m, "UUID", i->uuid);
	if (r >= 0 && node_is_known(i->data))
		r = sd_bus_message_append(m, "{sv}{sv}", "DeviceNumber", "t", i->data.device,
					  "DeviceInode", "t", i->data.inode);
	if (r >= 0 && node_is_known(i->header))
		r = sd_bus_message_append(m, "{sv}{sv}", "HeaderNumber", "t", i->header.device,
					  "HeaderInode", "t", i->header.inode);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int worker_message_append_unlock(sd_bus_message *m, const struct unlock_options *options)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r >= 0)
		r = append_text(m, "Type", options->type);
	if (r >= 0 && options->keyslot >= 0)
		r = sd_bus_message_append(m, "{sv}", "Keyslot", "i", options->keyslot);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_provider_fields(sd_bus_message *m, const struct provider *p)
{
	int r = append_text(m, "Provider", provider_kind_name(p->kind));

	if (r >= 0 && p->kind == PROVIDER_KEY_FILE)
		r = append_bytes(m, "Path", p->key_file ?: "");
	if (r >= 0 && p->kind == PROVIDER_CREDENTIAL)
		r = append_bytes(m, "Name", p->credential ?: "");
	if (r >= 0 && p->kind == PROVIDER_KEYRING)
		r = append_bytes(m, "Description", p->keyring_key ?: "");
	if (r >= 0 && p->kind == PROVIDER_TOKEN && p->token >= 0)
		r = sd_bus_message_append(m, "{sv}", "Token", "i", p->token);
	return r < 0 ? r : sd_bus_message_append(m, "{sv}", "Timeout", "t", p->timeout_usec);
}

int worker_message_append_provider(sd_bus_message *m, const struct provider *provider)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r >= 0)
		r = append_provider_fields(m, provider);
	return r < 0 ? r : sd_bus_message_close_container(m);
}
