/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What somebody has probably meant who typed a name that there is none of. */
#pragma once

/*
 * The one of @names, which end with NULL, that is at most two slips away (a letter more, less, or
 * another one), or the same but for upper and lower case; NULL: none, or two that are as close.
 */
const char *closest_name(const char *typed, const char *const *names);
