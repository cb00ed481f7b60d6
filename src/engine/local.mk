# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += src/engine/librengine.a
src_engine_librengine_a_SOURCES = \
	src/engine/ahead.c \
	src/engine/batch.c src/engine/batch.h \
	src/engine/cycle.c \
	src/engine/engine.c src/engine/engine.h src/engine/engine-internal.h \
	src/engine/freezer.h \
	src/engine/header-store.h \
	src/engine/histogram.c src/engine/histogram.h \
	src/engine/lane.c \
	src/engine/memory.c \
	src/engine/next.c \
	src/engine/overlap.c src/engine/overlap.h \
	src/engine/plan.c src/engine/plan.h \
	src/engine/reach.c \
	src/engine/recover.c \
	src/engine/skip.c src/engine/skip-pass.c \
	src/engine/stages.h \
	src/engine/steps.c \
	src/engine/thawed.c \
	src/engine/store.c \
	src/engine/unflushed.c \
	src/engine/unwritten.c src/engine/unwritten.h

UNIT_TESTS += src/engine/test-histogram
src_engine_test_histogram_SOURCES = src/engine/test-histogram.c
src_engine_test_histogram_LDADD = src/engine/librengine.a src/pace/libpace.a src/util/libutil.a $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += src/engine/test-overlap
src_engine_test_overlap_SOURCES = src/engine/test-overlap.c
src_engine_test_overlap_LDADD = src/engine/librengine.a src/pace/libpace.a src/util/libutil.a $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += src/engine/test-reach
src_engine_test_reach_SOURCES = src/engine/test-reach.c
src_engine_test_reach_LDADD = src/engine/librengine.a src/pace/libpace.a src/util/libutil.a $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += src/engine/test-header-lane
src_engine_test_header_lane_SOURCES = src/engine/test-header-lane.c
src_engine_test_header_lane_LDADD = src/engine/librengine.a src/pace/libpace.a src/io/librio.a src/dm/libdm.a \
	src/crypto/librcrypto.a src/util/libutil.a $(LIBURING_LIBS) $(DEVMAPPER_LIBS) $(LIBCRYPTO_LIBS) $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)
