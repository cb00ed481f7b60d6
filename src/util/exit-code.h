/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Exit code of cryptsetup for 0 or a negative errno: 1 wrong parameters and all else, 2 no
 * permission (bad passphrase), 3 out of memory, 4 wrong device, 5 device exists or is busy.
 */
int exit_code(int error);
