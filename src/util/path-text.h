/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names of files are bytes, and D-Bus strings and lines of a configuration are text. A path that is
 * plain text stays as it is; any other is written as a URI of the scheme "file", which begins with
 * another character than a path and loses nothing: "file:///srv/B%FCro.img".
 */
#pragma once

/*
 * The caller's to free; NULL: out of memory. Plain is valid UTF-8 without control characters, and
 * without white space at its ends.
 */
char *path_to_text(const char *path);

/*
 * The path that @text is, in either form; the caller's to free. -EINVAL: neither an absolute path
 * of less than PATH_MAX bytes, nor a URI of one.
 */
int path_from_text(const char *text, char **ret);
