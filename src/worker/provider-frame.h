/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between provider.c, which asks, and provider-child.c, which is asked. */
#pragma once

#include <stdint.h>

enum provider_frame_kind { PROVIDER_PASSPHRASE, PROVIDER_ERROR };

struct provider_frame {
	uint32_t kind;
	int32_t error; /* PROVIDER_ERROR: a negative errno */
	uint32_t size; /* bytes that follow */
};
