# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += src/util/libutil.a
src_util_libutil_a_SOURCES = \
	src/util/checked.h \
	src/util/cleanup.h \
	src/util/closest.c src/util/closest.h \
	src/util/clock.c src/util/clock.h \
	src/util/device-name.c src/util/device-name.h \
	src/util/error.c src/util/error.h \
	src/util/exit-code.c src/util/exit-code.h \
	src/util/file.c src/util/file-find.c src/util/file.h \
	src/util/io.c src/util/io.h \
	src/util/key-memfd.c src/util/key-memfd.h \
	src/util/log.c src/util/log.h \
	src/util/node.c src/util/node.h \
	src/util/path-text.c src/util/path-text.h \
	src/util/secret.c src/util/secret.h \
	src/util/text.c src/util/text.h \
	src/util/uuid.c src/util/uuid.h

UNIT_TESTS += src/util/test-file src/util/test-util
src_util_test_file_SOURCES = src/util/test-file.c
src_util_test_file_LDADD = src/util/libutil.a $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)
src_util_test_util_SOURCES = src/util/test-util.c
src_util_test_util_LDADD = src/util/libutil.a $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += src/util/test-path-text
src_util_test_path_text_SOURCES = src/util/test-path-text.c
src_util_test_path_text_LDADD = src/util/libutil.a $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += src/util/test-text
src_util_test_text_SOURCES = src/util/test-text.c
src_util_test_text_LDADD = src/util/libutil.a $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)
