/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Errors at the edge of a process: their names on a bus, org.recryptd1.Error.NAME, and the numbers
 * that a worker and its manager send each other beside the name.
 */
#pragma once

/* Of 0 or a negative errno or code of util/error.h; "Failed": it has no other. */
const char *error_name(int error);

/* What is named so, negative; 0: nothing. */
int error_of_name(const char *name);

/*
 * Messages say an errno for a code of ours, as versions without such codes do. error_received()
 * tells it from that errno by the name, with or without what comes before the last dot; what is no
 * errno at all becomes -EIO.
 */
int error_sent(int error);
int error_received(int sent, const char *name);
