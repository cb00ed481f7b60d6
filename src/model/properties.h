/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The properties of volumes and jobs, a line each: its name on the bus, which is its key in
 * `recryptctl --json` and its entry in org.recryptd1(5), its type, the change that announces it
 * (VOLUME_CHANGED_*, JOB_CHANGED_*; NEVER: it is constant), and where the daemon has it
 * (bus-volume.c, bus-job.c). Of volumes also the label of the line of its own that
 * `recryptctl status` has for a text; NULL: none.
 *
 * The switches of a rotation's runs (RUN_SWITCHES) are properties of a volume, too.
 */
#pragma once

#include "model/rotation.h"

#define VOLUME_PROPERTIES(PROPERTY)                                                                \
	PROPERTY("Name", "s", IDENTITY, POINTER(place.name), "Name:")                              \
	PROPERTY("Device", "s", IDENTITY, PATH(place.device), "Device:")                           \
	PROPERTY("HeaderDevice", "s", IDENTITY, PATH(place.header_device), "Header:")              \
	PROPERTY("UUID", "s", NEVER, ARRAY(uuid), "UUID:")                                         \
	PROPERTY("Group", "s", IDENTITY, POINTER(settings.group), "Group:")                        \
	PROPERTY("State", "s", STATE, GETTER(get_state), "State:")                                 \
	PROPERTY("StateReason", "s", STATE, ARRAY(status.reason), "Reason:")                       \
	PROPERTY("StateError", "s", STATE, GETTER(get_state_error), NULL)                          \
	PROPERTY("Unlocked", "b", STATE, BOOL(status.unlocked), NULL)                              \
	PROPERTY("KeyProvider", "s", LIMIT, GETTER(get_key_provider), NULL)                        \
	PROPERTY("Keyslots", "a(us)", PARAMETERS, GETTER(get_keyslots), NULL)                      \
	PROPERTY("OpenKeyslots", "au", STATE, GETTER(get_open_keyslots), NULL)                     \
	PROPERTY("MissingKeyslots", "au", STATE, GETTER(get_missing_keyslots), NULL)               \
	PROPERTY("Job", "o", STATE, GETTER(get_job), NULL)                                         \
	PROPERTY("Mode", "s", PARAMETERS, ARRAY(header.parameters.mode), "Mode:")                  \
	PROPERTY("Direction", "s", PARAMETERS, ARRAY(header.parameters.direction), "Direction:")   \
	PROPERTY("Resilience", "s", PARAMETERS, ARRAY(header.parameters.resilience),               \
		 "Resilience:")                                                                    \
	PROPERTY("ResilienceHash", "s", PARAMETERS, ARRAY(header.parameters.resilience_hash),      \
		 NULL)                                                                             \
	PROPERTY("OldCipher", "s", PARAMETERS, ARRAY(header.parameters.old_cipher), NULL)          \
	PROPERTY("NewCipher", "s", PARAMETERS, ARRAY(header.parameters.new_cipher), NULL)          \
	PROPERTY("OldSectorSize", "u", PARAMETERS, NUMBER(header.parameters.old_sector_size),      \
		 NULL)                                                                             \
	PROPERTY("NewSectorSize", "u", PARAMETERS, NUMBER(header.parameters.new_sector_size),      \
		 NULL)                                                                             \
	PROPERTY("NewKeySize", "u", PARAMETERS, NUMBER(header.parameters.new_key_size), NULL)      \
	PROPERTY("KeepKey", "b", PARAMETERS, BOOL(header.parameters.keep_key), NULL)               \
	PROPERTY("NewPbkdf", "s", PARAMETERS, ARRAY(header.parameters.new_pbkdf), NULL)            \
	PROPERTY("NewPbkdfHash", "s", PARAMETERS, ARRAY(header.parameters.new_pbkdf_hash), NULL)   \
	PROPERTY("BytesTotal", "t", PROGRESS, NUMBER(progress.bytes_total), NULL)                  \
	PROPERTY("BytesDone", "t", PROGRESS, NUMBER(progress.bytes_done), NULL)                    \
	PROPERTY("BytesLeft", "t", PROGRESS, GETTER(get_bytes_left), NULL)                         \
	PROPERTY("Rate", "t", PROGRESS, NUMBER(progress.rate), NULL)                               \
	PROPERTY("RateLimit", "t", LIMIT, NUMBER(settings.rate_limit), NULL)                       \
	PROPERTY("Governor", "s", LIMIT, GETTER(get_governor), NULL)                               \
	PROPERTY("GovernorReason", "s", PROGRESS, ARRAY(progress.governor_reason), NULL)           \
	PROPERTY("GovernorRate", "t", PROGRESS, NUMBER(progress.governor_rate), NULL)              \
	PROPERTY("RateMin", "t", LIMIT, GETTER(get_rate_min), NULL)                                \
	PROPERTY("RateMax", "t", LIMIT, GETTER(get_rate_max), NULL)                                \
	PROPERTY("LatencyTarget", "t", LIMIT, GETTER(get_latency_target), NULL)                    \
	PROPERTY("Windows", "as", LIMIT, GETTER(get_windows), NULL)                                \
	PROPERTY("Deadline", "t", DEADLINE, NUMBER(clock.deadline_usec), NULL)                     \
	PROPERTY("DeadlineAtRisk", "b", DEADLINE, BOOL(clock.at_risk), NULL)                       \
	PROPERTY("ExpectedEndTime", "t", PROGRESS, NUMBER(progress.expected_end_usec), NULL)       \
	PROPERTY("HotzoneOffset", "t", PROGRESS, NUMBER(progress.hotzone_offset), NULL)            \
	PROPERTY("HotzoneSize", "t", PROGRESS, NUMBER(progress.hotzone_size), NULL)                \
	PROPERTY("LongestStall", "t", PROGRESS, NUMBER(progress.longest_stall_usec), NULL)         \
	PROPERTY("StallPercentile999", "t", PROGRESS, NUMBER(progress.stall_999_usec), NULL)       \
	PROPERTY("LongestSuspend", "t", PROGRESS, NUMBER(progress.longest_suspend_usec), NULL)     \
	PROPERTY("UnavoidableStall", "t", PROGRESS, NUMBER(progress.unavoidable_stall_usec), NULL) \
	PROPERTY("StallTarget", "t", LIMIT, NUMBER(settings.stall_target_usec), NULL)              \
	PROPERTY("KeyId", "s", KEYS, ARRAY(token.shown.key_id), "Key:")                            \
	PROPERTY("KeyGeneration", "u", KEYS, NUMBER(token.shown.key_generation), NULL)             \
	PROPERTY("ProtectedGeneration", "u", KEYS, GETTER(get_protected_generation), NULL)         \
	PROPERTY("Keys", "a(sustttt)", KEYS, GETTER(get_keys), NULL)                               \
	PROPERTY("StateToken", "s", ROTATION, ARRAY(token.trust), NULL)                            \
	PROPERTY("StateTokenReason", "s", ROTATION, ARRAY(token.trust_reason), NULL)               \
	PROPERTY("QueuedRotation", "a{sv}", ROTATION, GETTER(get_queued_rotation), NULL)           \
	PROPERTY("LastRotation", "a{sv}", ROTATION, GETTER(get_last_rotation), NULL)

#define JOB_PROPERTIES(PROPERTY)                                                                   \
	PROPERTY("Id", "t", NEVER, NUMBER(id))                                                     \
	PROPERTY("Kind", "s", NEVER, GETTER(get_kind))                                             \
	PROPERTY("Volume", "o", NEVER, GETTER(get_volume))                                         \
	PROPERTY("Members", "a(obss)", ANY, GETTER(get_members))                                   \
	PROPERTY("State", "s", ANY, GETTER(get_state))                                             \
	PROPERTY("Error", "s", ANY, GETTER(get_error))                                             \
	PROPERTY("Message", "s", ANY, GETTER(get_message))                                         \
	PROPERTY("RequestId", "s", NEVER, GETTER(get_request_id))                                  \
	PROPERTY("CallerUid", "u", NEVER, GETTER(get_caller_uid))                                  \
	PROPERTY("CreateTime", "t", NEVER, NUMBER(created_usec))                                   \
	PROPERTY("StartTime", "t", ANY, NUMBER(started_usec))                                      \
	PROPERTY("EndTime", "t", ANY, NUMBER(ended_usec))

struct property {
	const char *name, *type; /* name NULL ends a table */
	const char *label;       /* of its line in `recryptctl status`; NULL: none of its own */
	const char *text;        /* of a switch: what the line says where it is on */
};

extern const struct property volume_properties[], job_properties[];
