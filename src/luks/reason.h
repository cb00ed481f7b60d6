/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Why metadata was refused, for people. The functions that judge a header return an errno for the
 * program and fill one of these for the message; what it quotes of the header is masked
 * (util/text.h).
 */
#pragma once

struct luks_reason {
	char text[256]; /* half a sentence: "segment 2 overlaps segment 1" */
};

/* Fills @why (may be NULL) and returns @error, never positive, so that a check is one statement. */
int luks_refuse(struct luks_reason *why, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
