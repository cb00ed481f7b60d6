/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Blocks of ciphertext that are all zero. No data encrypts to that (but for the ciphers that
 * cipher_tells_unwritten() names), so nobody ever wrote there, or it was discarded since.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Bytes at the start of @data that are alike, all unwritten or all written: whole blocks of @block
 * bytes (512 or more), at least one. @size is a multiple of @block, not 0.
 */
uint32_t unwritten_run(const uint8_t *data, uint32_t size, uint32_t block, bool *ret_unwritten);
