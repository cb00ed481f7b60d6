/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What can stand at one place of a command line, for the shells: "recryptctl complete N WORD..."
 * prints it, a line each, a tab before what it means. Words are counted from 0, which is
 * recryptctl; N is the one that is typed. The line COMPLETE_FILES means the names of files.
 */
#pragma once

#include <json-c/json.h>
#include <stdio.h>

#define COMPLETE_FILES "!files"

/* @volumes: those that are known, or NULL. */
void complete_word(size_t n, char **words, json_object *volumes, FILE *out);
