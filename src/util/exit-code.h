/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * With which number a program ends. 0 to 5 are those of cryptsetup; those above say how a wait
 * ended, the same for each verb that waits. recryptctl(8) has the rows, word for word
 * (tests/static/manuals).
 */
#pragma once

struct exit_row {
	int code;
	const char *text; /* NULL ends the table */
	int errors[4];    /* what it stands for, without the sign; 0 ends them */
};

extern const struct exit_row exit_rows[];

/* The first code that says how a wait ended, and nothing else. */
#define EXIT_OF_WAIT 6

/* Of 0 or a negative errno; 1 where no row has the error. */
int exit_code(int error);
