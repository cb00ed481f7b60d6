/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * All that can be told of a volume without a key: from its header, its live table and sysfs. Plain
 * data without pointers, for one thread to copy what another has found. Paths and name are bytes.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "dm/task.h"
#include "io/stacking.h"
#include "luks/bindings.h"
#include "luks/new-key.h"
#include "luks/record.h"
#include "luks/status.h"
#include "util/node.h"
#include "worker/work-options.h"

struct look {
	char device[PATH_MAX], header_device[PATH_MAX];
	struct node node, header_node;
	char name[DM_NAME_MAX + 1]; /* of the open volume; "": offline */
	bool stacked;               /* helpers of a worker that died are there */
	struct luks_status status;
	struct luks_new_key new_key;
	/* Bit n: keyslot n is there; holds the key of the data (the old one of two); is opened by
	 * a passphrase that the worker has. */
	uint32_t keyslots, data_keyslots, open_keyslots;
	struct luks_bindings bindings;
	char record[RECORD_SIZE_MAX]; /* "": none */
	enum record_trust trust;      /* of the record; without keys it is never verified */
	/* Of the sides of the re-encryption; without one, of the volume as it is, and "". */
	char old_side[LUKS_FINGERPRINT_SIZE], new_side[LUKS_FINGERPRINT_SIZE];
	struct disk_names disks;
};

/*
 * Looks at o->target.device. Writes nothing and needs no lock. Logs what is wrong. @ret_header (may
 * be NULL) is the caller's.
 */
int look(const struct work_options *o, struct look *ret, struct luks_header **ret_header);
