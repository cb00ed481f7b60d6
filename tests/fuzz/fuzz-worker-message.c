/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a worker says to the manager. */
#include <string.h>

#include "daemon/worker-message.h"
#include "message.h"

static const char *const names[] = {
	"UUID",
	"Device",
	"HeaderDevice",
	"Name",
	"Record",
	"Reencryption",
	"Mode",
	"Direction",
	"Resilience",
	"OldCipher",
	"NewCipher",
	"OldSectorSize",
	"NewSectorSize",
	"BytesTotal",
	"BytesDone",
	"HotzoneOffset",
	"HotzoneSize",
	"Stacked",
	"Keyslots",
	"Tokens",
	"Disks",
	"Supported",
	"Outcome",
	"OldKeySize",
	"NewKeySize",
	"KeptKeyslots",
	"LostKeyslots",
	"EstimatedTime",
	"Obstacle",
	"ObstacleName",
	"Job",
	"Version",
	"Unlocked",
	"Passphrases",
	"RateLimit",
	"Rate",
	"LongestStall",
	"GovernorReason",
	"LongestSuspend",
	"StallPercentile999",
	"ResilienceHash",
	"KeepKey",
	"NewPbkdf",
	"NewPbkdfHash",
	"UnavoidableStall",
	NULL,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	const unsigned which = (unsigned)fuzz_take(&in, 1) % 3;
	sd_bus_message *m = fuzz_message_new(&in, names);
	struct worker_end end = {};
	struct worker_status status = {};
	struct worker_progress progress = {};

	if (which == 0) {
		if (worker_message_read_end(m, &end) >= 0 && end.look.valid)
			REQUIRE(end.look.uuid && end.look.device && end.look.record);
		REQUIRE(end.check.n_lost <= 32 && end.check.n_kept <= 32);
		worker_look_clear(&end.look);
	} else if (which == 1) {
		(void)worker_message_read_status(m, &status);
	} else {
		(void)worker_message_read_progress(m, &progress);
		REQUIRE(memchr(progress.governor_reason, '\0', sizeof(progress.governor_reason)));
	}
	sd_bus_message_unref(m);
	return 0;
}
