/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How people write sizes, times and booleans in the configuration. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Pure, and strict about what follows the number. Sizes and rates: "64M", "1GiB" (powers of 1024),
 * "2.5MB" (of 1000), "0"; times: "50ms", "1s", "2min", "500us", "3d", a bare number is seconds.
 * -EINVAL, -ERANGE.
 */
int config_parse_bytes(const char *text, uint64_t *ret);
int config_parse_usec(const char *text, uint64_t *ret);
int config_parse_bool(const char *text, bool *ret);
