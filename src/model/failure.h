/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Why something that a caller asked for is not done: the last part of a bus error name
 * (org.recryptd1.Error.NAME) and a text for people.
 */
#pragma once

struct failure {
	char name[64];
	char text[512];
};
