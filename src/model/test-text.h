/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For tests that compare tables with what is written about them. */
#pragma once

/* A file of the source tree (srcdir in the environment, else here), whole; the caller's to free. */
char *test_text_read(const char *path);

/* The part of @text from @from up to @to, cut out of it in place; fails the test without both. */
char *test_text_part(char *text, const char *from, const char *to);
