# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += src/io/librio.a
src_io_librio_a_SOURCES = \
	src/io/active.c src/io/active.h \
	src/io/device.c src/io/device.h \
	src/io/disk.c src/io/disk.h \
	src/io/disk-uring.c src/io/disk-uring.h \
	src/io/extent.c src/io/extent.h \
	src/io/geometry.c src/io/geometry.h \
	src/io/hole.c src/io/hole.h \
	src/io/in-use.c src/io/in-use.h \
	src/io/loop.c src/io/loop.h \
	src/io/stacking.c src/io/stacking.h \
	src/io/thin-look.c src/io/thin-look.h \
	src/io/thin-map.c src/io/thin-map.h

IO_TEST_LIBS = src/io/librio.a src/dm/libdm.a src/util/libutil.a $(LIBURING_LIBS) $(DEVMAPPER_LIBS) \
	$(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)

IO_TEST_HELPERS = \
	src/io/test-disk-util.c src/io/test-disk-util.h \
	src/io/test-loop.c src/io/test-loop.h

UNIT_TESTS += src/io/test-device src/io/test-disk src/io/test-disk-load src/io/test-hole src/io/test-in-use
src_io_test_device_SOURCES = src/io/test-device.c $(IO_TEST_HELPERS)
src_io_test_device_LDADD = $(IO_TEST_LIBS)
src_io_test_disk_SOURCES = src/io/test-disk.c $(IO_TEST_HELPERS)
src_io_test_disk_LDADD = $(IO_TEST_LIBS)
src_io_test_disk_load_SOURCES = src/io/test-disk-load.c $(IO_TEST_HELPERS)
src_io_test_disk_load_LDADD = $(IO_TEST_LIBS)
src_io_test_hole_SOURCES = src/io/test-hole.c $(IO_TEST_HELPERS)
src_io_test_hole_LDADD = $(IO_TEST_LIBS)
src_io_test_in_use_SOURCES = src/io/test-in-use.c $(IO_TEST_HELPERS)
src_io_test_in_use_LDADD = $(IO_TEST_LIBS)

UNIT_TESTS += src/io/test-thin-map src/io/test-thin-map-damage
src_io_test_thin_map_SOURCES = src/io/test-thin-map.c src/io/test-thin-pool.c src/io/test-thin-pool.h \
	src/io/test-loop.c src/io/test-loop.h
src_io_test_thin_map_LDADD = src/io/librio.a src/util/libutil.a $(CMOCKA_LIBS)
src_io_test_thin_map_damage_SOURCES = src/io/test-thin-map-damage.c \
	src/io/test-thin-kernel.c src/io/test-thin-kernel.h src/io/test-thin-pool.c src/io/test-thin-pool.h
src_io_test_thin_map_damage_LDADD = src/io/librio.a src/util/libutil.a $(CMOCKA_LIBS)
