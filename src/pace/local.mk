# SPDX-License-Identifier: GPL-3.0-or-later
# When and how fast to work.
noinst_LIBRARIES += src/pace/libpace.a
src_pace_libpace_a_SOURCES = \
	src/pace/governor.c src/pace/governor.h \
	src/pace/load.c src/pace/load.h \
	src/pace/rate.c src/pace/rate.h \
	src/pace/stall.c src/pace/stall.h

PACE_TEST_LIBS = src/pace/libpace.a src/util/libutil.a $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += src/pace/test-governor src/pace/test-load src/pace/test-rate src/pace/test-stall
src_pace_test_governor_SOURCES = src/pace/test-governor.c
src_pace_test_governor_LDADD = $(PACE_TEST_LIBS)
src_pace_test_load_SOURCES = src/pace/test-load.c
src_pace_test_load_LDADD = $(PACE_TEST_LIBS)
src_pace_test_rate_SOURCES = src/pace/test-rate.c
src_pace_test_rate_LDADD = $(PACE_TEST_LIBS)
src_pace_test_stall_SOURCES = src/pace/test-stall.c
src_pace_test_stall_LDADD = $(PACE_TEST_LIBS)
