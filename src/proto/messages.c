/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One row for each entry of a message, and one list of rows for each message. What a new entry
 * needs is its member in messages.h and its row here: both ends, test-messages.c and the fuzz
 * targets follow.
 */
#include "proto/messages.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "luks/fields.h"
#include "luks/names.h"
#include "model/settings-bus.h"
#include "util/checked.h"
#include "util/uuid.h"

#define DISKS_MAX 64 /* in one message */

#define ROW(of, n, k, field)                                                                       \
	{                                                                                          \
		.name = n, .kind = SETTING_##k, .where = offsetof(struct of, field),               \
		.size = sizeof(((struct of *)NULL)->field)                                         \
	}
#define NAME(of, n, field, table)                                                                  \
	{                                                                                          \
		.name = n, .kind = SETTING_NAME, .where = offsetof(struct of, field),              \
		.size = ARRAY_SIZE(table), .names = table                                          \
	}

/* --- reports --- */

#define PROGRESS(name, kind, field) ROW(worker_progress, name, kind, field)

static const struct setting position_rows[] = {
	PROGRESS("BytesDone", U64, bytes_done),
	PROGRESS("BytesTotal", U64, bytes_total),
	PROGRESS("HotzoneOffset", U64, hotzone_offset),
	PROGRESS("HotzoneSize", U64, hotzone_size),
	{},
};

static const struct setting pace_rows[] = {
	PROGRESS("Rate", U64, rate),
	PROGRESS("LongestStall", U64, longest_stall_usec),
	PROGRESS("StallPercentile999", U64, stall_999_usec),
	PROGRESS("LongestSuspend", U64, longest_suspend_usec),
	PROGRESS("UnavoidableStall", U64, unavoidable_stall_usec),
	PROGRESS("GovernorRate", U64, governor_rate),
	PROGRESS("GovernorReason", BUFFER, governor_reason),
	{},
};

#define LOOK(name, kind, field) ROW(worker_look, name, kind, field)

/* A look without "Supported" means yes, so that no is sent as well. */
static const struct setting look_rows[] = {
	LOOK("UUID", OWNED, uuid),
	LOOK("Device", PATH, device),
	LOOK("HeaderDevice", PATH, header_device),
	LOOK("DeviceNumber", U64, node.device),
	LOOK("DeviceInode", U64, node.inode),
	LOOK("HeaderNumber", U64, header_node.device),
	LOOK("HeaderInode", U64, header_node.inode),
	LOOK("Name", OWNED, name),
	NAME(worker_look, "Reencryption", reencryption, luks_reenc_state_names),
	LOOK("Mode", BUFFER, parameters.mode),
	LOOK("Direction", BUFFER, parameters.direction),
	LOOK("Resilience", BUFFER, parameters.resilience),
	LOOK("ResilienceHash", BUFFER, parameters.resilience_hash),
	LOOK("OldCipher", BUFFER, parameters.old_cipher),
	LOOK("NewCipher", BUFFER, parameters.new_cipher),
	LOOK("OldSectorSize", U32, parameters.old_sector_size),
	LOOK("NewSectorSize", U32, parameters.new_sector_size),
	LOOK("NewKeySize", U32, parameters.new_key_size),
	LOOK("KeepKey", BOOL, parameters.keep_key),
	LOOK("NewPbkdf", BUFFER, parameters.new_pbkdf),
	LOOK("NewPbkdfHash", BUFFER, parameters.new_pbkdf_hash),
	LOOK("Stacked", BOOL, stacked),
	{.name = "Supported",
	 .kind = SETTING_BOOL,
	 .where = offsetof(struct worker_look, supported),
	 .always = true},
	LOOK("Keyslots", BITS, keyslots),
	LOOK("OpenKeyslots", BITS, open_keyslots),
	LOOK("MissingKeyslots", BITS, missing_keyslots),
	{.name = "KeyslotTypes",
	 .kind = SETTING_LIST,
	 .where = offsetof(struct worker_look, keyslot_types),
	 .size = LUKS_MAX_KEYSLOTS},
	LOOK("Record", OWNED, record),
	NAME(worker_look, "RecordTrust", trust, record_trust_names),
	LOOK("Sequence", U64, sequence),
	LOOK("OldSide", BUFFER, old_side),
	LOOK("NewSide", BUFFER, new_side),
	{.name = "Disks",
	 .kind = SETTING_LIST,
	 .where = offsetof(struct worker_look, disks),
	 .size = DISKS_MAX},
	{},
};

static const char *const outcome_names[] = {
	[OUTCOME_FINISHED] = "finished",
	[OUTCOME_STOPPED] = "stopped",
};

#define END(name, kind, field) ROW(worker_end, name, kind, field)

static const struct setting end_rows[] = {
	NAME(worker_end, "Outcome", outcome, outcome_names),
	END("OpenedKeyslots", BITS, opened),
	END("OldKeySize", U32, check.old_key_size),
	END("KeptKeyslots", BITS, check.kept),
	END("LostKeyslots", BITS, check.lost),
	END("Obstacle", BUFFER, check.obstacle.text),
	END("ObstacleName", BUFFER, check.obstacle.name),
	END("EstimatedTime", U64, check.estimated_usec),
	{},
};

#define STATUS(name, kind, field) ROW(worker_status, name, kind, field)

static const struct setting status_rows[] = {
	NAME(worker_status, "Job", job, worker_job_names),
	STATUS("Version", BUFFER, version),
	STATUS("Unlocked", BOOL, unlocked),
	STATUS("Passphrases", U32, passphrases),
	STATUS("RateLimit", U64, limits.rate),
	STATUS("HotzoneMax", U64, limits.hotzone_max),
	STATUS("StallTarget", U64, limits.stall_target_usec),
	{},
};

/* --- orders --- */

/* The numbers are those of struct node: st_dev and st_ino of a file, st_rdev and 0 of a device. */
static const struct setting identity_rows[] = {
	ROW(identity, "UUID", BUFFER, uuid),
	ROW(identity, "DeviceNumber", U64, data.device),
	ROW(identity, "DeviceInode", U64, data.inode),
	ROW(identity, "HeaderNumber", U64, header.device),
	ROW(identity, "HeaderInode", U64, header.inode),
	{},
};

const struct setting unlock_settings[] = {
	ROW(unlock_options, "Type", BUFFER, type),
	ROW(unlock_options, "Keyslot", INT, keyslot),
	{},
};

const char *const provider_kind_names[PROVIDER_COUNT] = {
	[PROVIDER_NONE] = "none",
	[PROVIDER_KEY_FILE] = "key-file",
	[PROVIDER_CREDENTIAL] = "credential",
	[PROVIDER_KEYRING] = "keyring",
	[PROVIDER_TOKEN] = "token",
};

#define PROVIDER(name, kind, field) ROW(provider_order, name, kind, field)

static const struct setting provider_rows[] = {
	NAME(provider_order, "Provider", provider.kind, provider_kind_names),
	PROVIDER("Path", BYTES, provider.key_file),
	PROVIDER("Offset", U64, provider.offset),
	PROVIDER("Size", U64, provider.size),
	PROVIDER("Name", BYTES, provider.credential),
	PROVIDER("Description", BYTES, provider.keyring_key),
	PROVIDER("Token", INT, provider.token),
	PROVIDER("Timeout", U64, provider.timeout_usec),
	PROVIDER("Keyslot", INT, keyslot),
	{},
};

/* --- questions and answers --- */

static const char *const question_names[QUESTION_COUNT] = {
	[QUESTION_PASSPHRASE] = "passphrase",         [QUESTION_NEW_PASSPHRASE] = "new-passphrase",
	[QUESTION_VOLUME_KEY] = "volume-key",         [QUESTION_NEW_VOLUME_KEY] = "new-volume-key",
	[QUESTION_IS_KEY_GIVEN] = "is-key-given",     [QUESTION_LOSE_KEYSLOTS] = "lose-keyslots",
	[QUESTION_TRUST_POSITION] = "trust-position", [QUESTION_SHOW_PROGRESS] = "show-progress",
	[QUESTION_LEAVE_PROGRESS] = "leave-progress",
};

static const struct setting question_rows[] = {
	ROW(worker_question, "Number", U32, number),
	NAME(worker_question, "Kind", kind, question_names),
	ROW(worker_question, "Device", BYTES, device),
	ROW(worker_question, "Keyslot", INT, keyslot),
	ROW(worker_question, "Binding", BUFFER, binding),
	ROW(worker_question, "Keyslots", BITS, keyslots),
	ROW(worker_question, "Again", BOOL, again),
	{},
};

static const struct setting answer_rows[] = {
	ROW(worker_answer, "Number", U32, number),
	ROW(worker_answer, "Error", U32, error),
	{},
};

/* --- messages --- */

#define NO_LOOK                                                                                    \
	{                                                                                          \
		.supported = true, .trust = RECORD_UNVERIFIED                                      \
	}

static const struct worker_look no_look = NO_LOOK;
static const struct worker_end no_end = {.look = NO_LOOK};
static const struct unlock_options no_unlock = {.keyslot = -1};
static const struct provider_order no_provider = {.provider.token = -1, .keyslot = -1};
static const struct prepare_order no_prepare = {.rotation = ROTATE_OPTIONS_NONE};
static const struct foreground_order no_foreground = {.rotation = ROTATE_OPTIONS_NONE,
						      .foreground = FOREGROUND_OPTIONS_NONE};
static const struct worker_question no_question = {.keyslot = -1};

static int complete_look(void *value)
{
	struct worker_look *l = value;
	char **const texts[] = {&l->uuid, &l->device, &l->header_device, &l->name, &l->record};
	char uuid[UUID_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (!*texts[i])
			*texts[i] = strdup("");
		if (!*texts[i])
			return -ENOMEM;
	}
	l->valid = uuid_canonical(l->uuid, uuid) == 0;
	if (!l->valid)
		return 0;
	free(l->uuid);
	l->uuid = strdup(uuid);
	return l->uuid ? 0 : -ENOMEM;
}

static int complete_end(void *value)
{
	struct worker_end *end = value;

	return complete_look(&end->look);
}

static int complete_question(void *value)
{
	struct worker_question *q = value;

	if (!q->device)
		q->device = strdup("");
	return q->device ? 0 : -ENOMEM;
}

#define OF(kind)        .name = #kind, .size = sizeof(struct kind)
#define AT(kind, field) offsetof(struct kind, field)

const struct message_format messages[MESSAGE_COUNT] = {
	[MESSAGE_LOOK] = {OF(worker_look),
			  .part = {{look_rows, 0}, {position_rows, AT(worker_look, progress)}},
			  .unset = &no_look, .complete = complete_look},
	[MESSAGE_END] = {OF(worker_end),
			 .part = {{look_rows, AT(worker_end, look)},
				  {position_rows, AT(worker_end, look.progress)},
				  {end_rows, 0}},
			 .unset = &no_end, .complete = complete_end},
	[MESSAGE_PROGRESS] = {OF(worker_progress), .part = {{position_rows, 0}, {pace_rows, 0}}},
	[MESSAGE_STATUS] = {OF(worker_status),
			    .part = {{status_rows, 0},
				     {run_settings, AT(worker_status, run)},
				     {position_rows, AT(worker_status, progress)},
				     {pace_rows, AT(worker_status, progress)}},
			    .place = SETTING_OF_STATUS},
	[MESSAGE_IDENTITY] = {OF(identity), .part = {{identity_rows, 0}}},
	[MESSAGE_UNLOCK] = {OF(unlock_options), .part = {{unlock_settings, 0}}, .unset = &no_unlock,
			    .order = true},
	[MESSAGE_PROVIDER] = {OF(provider_order), .part = {{provider_rows, 0}},
			      .unset = &no_provider, .order = true},
	[MESSAGE_PREPARE] = {OF(prepare_order),
			     .part = {{rotation_settings, AT(prepare_order, rotation)},
				      {run_settings, AT(prepare_order, run)}},
			     .place = SETTING_OF_WORKER, .unset = &no_prepare, .order = true},
	[MESSAGE_RUN] = {OF(run_options), .part = {{run_settings, 0}}, .place = SETTING_OF_RUN,
			 .order = true},
	[MESSAGE_FOREGROUND] = {OF(foreground_order),
				.part = {{rotation_settings, AT(foreground_order, rotation)},
					 {run_settings, AT(foreground_order, run)},
					 {foreground_settings, AT(foreground_order, foreground)}},
				.place = SETTING_OF_WORKER, .unset = &no_foreground, .order = true},
	[MESSAGE_QUESTION] = {OF(worker_question), .part = {{question_rows, 0}},
			      .unset = &no_question, .complete = complete_question},
	[MESSAGE_ANSWER] = {OF(worker_answer), .part = {{answer_rows, 0}}, .order = true},
};

void message_init(enum message_kind kind, void *value)
{
	assert(kind < MESSAGE_COUNT);
	if (messages[kind].unset)
		memcpy(value, messages[kind].unset, messages[kind].size);
	else
		memset(value, 0, messages[kind].size);
}

void message_clear(enum message_kind kind, void *value)
{
	assert(kind < MESSAGE_COUNT);
	for (size_t i = 0; messages[kind].part[i].rows; i++)
		settings_clear(messages[kind].part[i].rows,
			       (char *)value + messages[kind].part[i].where);
	message_init(kind, value);
}

int message_append(sd_bus_message *m, enum message_kind kind, const void *value)
{
	struct settings_source sources[MESSAGE_PARTS_MAX] = {};

	assert(kind < MESSAGE_COUNT);
	for (size_t i = 0; messages[kind].part[i].rows; i++)
		sources[i] = (struct settings_source){messages[kind].part[i].rows,
						      (const char *)value +
							      messages[kind].part[i].where};
	return settings_append(m, sources, messages[kind].place);
}

static int read_parts(sd_bus_message *m, const struct message_format *d, void *value, char *problem,
		      size_t size)
{
	struct settings_part parts[MESSAGE_PARTS_MAX] = {};
	int r;

	for (size_t i = 0; d->part[i].rows; i++)
		parts[i] =
			(struct settings_part){d->part[i].rows, (char *)value + d->part[i].where};
	r = d->order ? settings_read(m, parts, d->place, problem, size)
		     : settings_read_known(m, parts, d->place);
	if (r < 0 || !d->complete)
		return r;
	return d->complete(value);
}

int message_read(sd_bus_message *m, enum message_kind kind, void *ret, char *problem, size_t size)
{
	int r;

	assert(!messages[kind].order || (problem && size > 0));
	message_init(kind, ret);
	r = read_parts(m, &messages[kind], ret, problem, size);
	if (r < 0)
		message_clear(kind, ret);
	return r;
}
