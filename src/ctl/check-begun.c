/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Options that contradict the re-encryption in progress, by what the daemon tells of the volume. */
#include <errno.h>
#include <string.h>

#include "ctl/verbs.h"
#include "util/log.h"
#include "util/text.h"
#include "model/begun.h"

/* Only the foreground changes the resilience: the daemon resumes as the header says. */
static int check_resilience(const struct options *o, json_object *volume, const char *verb)
{
	const char *begun = json_text(volume, "Resilience"), *hash = text_or_null(o->rotation.hash);
	const char *wanted = text_or_null(o->rotation.resilience) ?: begun;
	const char *device = o->target.active_name ?: o->target.device;

	if (strcmp(wanted, begun) == 0 &&
	    (!hash || strcmp(hash, json_text(volume, "ResilienceHash")) == 0))
		return 0;
	return log_refusal(
		-EINVAL,
		"%s: the re-encryption in progress has the resilience %s%s%s. To change "
		"it: recryptctl suspend %s, then recryptctl %s --foreground --resilience "
		"%s%s%s %s; to resume as it is, leave it out",
		device, begun, *json_text(volume, "ResilienceHash") ? " with " : "",
		json_text(volume, "ResilienceHash"), device, verb, wanted,
		hash ? " --resilience-hash " : "", hash ?: "", device);
}

int check_begun(const struct options *o, json_object *volume, const char *verb)
{
	const struct begun b = {
		.device = o->target.active_name ?: o->target.device,
		.cipher = json_text(volume, "NewCipher"),
		.sector_size = (uint32_t)json_number(volume, "NewSectorSize"),
		.key_size = (uint32_t)json_number(volume, "NewKeySize"),
		.keep_key = json_number(volume, "KeepKey") != 0,
		.pbkdf = json_text(volume, "NewPbkdf"),
		.pbkdf_hash = json_text(volume, "NewPbkdfHash"),
		.resilience = json_text(volume, "Resilience"),
	};
	int r = begun_check(&b, &o->rotation,
			    o->keys.new_key_size ? "--new-key-size" : "--key-size");

	return r < 0 ? r : check_resilience(o, volume, verb);
}
