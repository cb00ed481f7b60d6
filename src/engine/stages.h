/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the time of a run goes. The engine's thread waits for one stage after the other:
 *
 *     freeze -> load -> protect -> commit -> store -> flush (-> verify) -> commit -> thaw
 *
 * while the crypto threads are at work on checksums and ciphers; theirs is the time of all of them.
 */
#pragma once

#include <stdint.h>

enum stage {
	STAGE_FREEZE, /* and thaw */
	STAGE_LOAD,
	STAGE_PROTECT,
	STAGE_COMMIT,
	STAGE_STORE,
	STAGE_FLUSH,
	STAGE_VERIFY,
	STAGE_CHECKSUM,
	STAGE_CONVERT,
	STAGES,
};

struct stages {
	uint64_t usec[STAGES];
};
