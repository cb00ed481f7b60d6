# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += src/worker/libworker.a
src_worker_libworker_a_SOURCES = \
	src/worker/options.c src/worker/options.h

UNIT_TESTS += src/worker/test-options
src_worker_test_options_SOURCES = src/worker/test-options.c
src_worker_test_options_LDADD = src/worker/libworker.a src/util/libutil.a \
	$(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)
