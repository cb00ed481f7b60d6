/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The configuration: ini files as systemd has them. Later files win over earlier ones, a section
 * [Volume UUID] over [Volume]. What is unknown or wrong is warned of with file and line, and the
 * value stays as it was. The state file is one more, read first: what was asked for over the bus.
 *
 *   state file, recryptd.conf, recryptd.conf.d/NAME.conf (sorted by name)
 *
 *   [Manager]      RateLimit= MaxConcurrent= MaxConcurrentPerDisk= KeepSuspended= KeepRate=
 *                  CryptTab= DiscoverActive= DiscoverCryptTab= ProbeTimeout= OnEvent=
 *   [Volume]       RateLimit= StallTarget= HotzoneSizeMax= Threads= Resilience= ResilienceHash=
 *                  AllowSharedFiles= and those of RUN_SWITCHES
 *                  KeyProvider= KeyFile= Credential= KeyringKey= Token= KeyTimeout=
 *                  KeyMemoryMax= KeyCostMax= Group= OnEvent=
 *                  and those of politeness.h
 *   [Volume UUID]  the same, and Device= HeaderDevice= Name=
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/policy/units.h"
#include "daemon/state/politeness.h"
#include "model/rotation.h"
#include "proto/messages.h"
#include "util/cleanup.h"

/* In place of a rate that is set at run time: what the configuration says. */
#define RATE_AS_CONFIGURED UINT64_MAX

/* The line that says so; line 0: none, it is the default. */
struct config_origin {
	unsigned file; /* in config.files */
	unsigned line;
};

/* As many settings as a section has at most, beside those of politeness. */
#define CONFIG_ROWS_MAX 32

/* Where each setting of a section is from, its own or that of [Volume]. */
struct config_origins {
	struct config_origin section, rows[CONFIG_ROWS_MAX], polite[POLITENESS_SETTINGS],
		windows[WINDOWS_MAX];
};

struct volume_config {
	char uuid[37];       /* "": the defaults */
	char *device;        /* path; NULL: not given */
	char *header_device; /* NULL: attached */
	char *device_id;     /* what udev knows the disk by (duplicates.h); of the state file */
	char *name;          /* dm name of the open mapping, NULL: whatever is active */
	char *group;         /* NULL: none */
	uint64_t rate_limit; /* bytes/s, 0: none */
	uint64_t stall_target_usec; /* longest wait of I/O for a hotzone */
	uint64_t hotzone_size_max;  /* bytes, 0: the engine's own */
	unsigned threads;           /* for ciphers and checksums, 0: one for each CPU */
	struct run_switches run;
	bool allow_shared_files; /* files that other users can change or replace */
	char *resilience;        /* "checksum", "journal" */
	char *resilience_hash;   /* NULL: the engine's own */
	char *on_event;          /* on-event.h; NULL: as for the host */
	struct provider provider;
	uint64_t key_memory_max; /* bytes that the header may claim to derive a key; 0: the default
				  */
	uint32_t key_cost_max;   /* steps, likewise */
	struct politeness polite;
	bool remembered; /* only in the state file (AddVolume), not in the administrator's */
	uint32_t set;    /* which settings the section itself has; of the parser */
	struct config_origins from;
};

struct config {
	uint64_t rate_limit;     /* bytes/s for the host, 0: none */
	unsigned max_concurrent; /* volumes converted at once, 0: no limit */
	unsigned max_concurrent_per_disk;
	bool keep_suspended; /* an operator's suspend outlives restart and reboot */
	bool keep_rate;      /* so does a rate set through the bus */
	bool discover_active, discover_crypttab;
	char *crypttab;              /* path */
	uint64_t probe_timeout_usec; /* a device that does not answer is given up then */
	char *on_event;              /* what is started for events (on-event.h); NULL: nothing */
	bool has_kept_rate;          /* the state file has a rate for the host, */
	uint64_t kept_rate_limit;    /* this one */
	struct volume_config defaults;
	size_t n_volumes;
	struct volume_config *volumes;
	size_t n_files;
	char **files;                               /* that were read, in their order */
	struct config_origin from[CONFIG_ROWS_MAX]; /* of the settings of [Manager] */
	unsigned ignored;                           /* lines */
	unsigned doubts;                            /* other things that were warned of */
};

/* A rate as a setting has it: "20M"; 0: none. -EDOM: less than anybody may ask for; -EINVAL,
 * -ERANGE. */
int config_parse_rate(const char *value, uint64_t *ret);

/*
 * Reads @path, its drop-ins PATH.d/NAME.conf, and @state_path; each may be missing. Wrong lines are
 * warned of and left out; only memory and files that cannot be read are errors (logged).
 */
int config_load(const char *path, const char *state_path, struct config **ret);

/* Sections, less the UUID. */
#define CONFIG_MANAGER "Manager"
#define CONFIG_VOLUME  "Volume"

/* What holds, and the line that says so. */
struct config_line {
	const char *section, *name, *value;
	const char *file; /* NULL: it is the default */
	unsigned line;
};
typedef int (*config_show_t)(const struct config_line *l, void *userdata);

/*
 * All settings that hold for the volume, or with NULL for the host and all volumes. A negative
 * errno of
 * @fn ends it.
 */
int config_show(const struct config *c, const char *uuid, config_show_t fn, void *userdata);

/* "FILE:LINE" of the volume's section, the caller's to free; NULL: there is none, or no memory. */
char *config_section_text(const struct config *c, const char *uuid);

struct config *config_free(struct config *c);
DEFINE_CLEANUP(struct config, config_free)

/* The host's rate that holds: the kept one with KeepRate=. */
uint64_t config_rate_limit(const struct config *c);

/* The volume's own section, or NULL. */
struct volume_config *config_find_volume(const struct config *c, const char *uuid);

/* The section for the volume, or the defaults. */
const struct volume_config *config_for_volume(const struct config *c, const char *uuid);

/*
 * Writes the state file anew (atomically): the kept rate and the remembered volumes of @c. Logs.
 */
int config_write_state(const struct config *c, const char *state_path);

/*
 * Adds a remembered volume, unless the administrator has named it; @header_device and @name may be
 * NULL. -ENOMEM.
 */
int config_remember(struct config *c, const char *uuid, const char *device,
		    const char *header_device, const char *name);
void config_forget(struct config *c, const char *uuid);
/* What tells the disk from a clone; "" forgets. True: that is something new for the state file. */
bool config_set_device_id(struct config *c, const char *uuid, const char *id);
