# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += src/dm/libdm.a
src_dm_libdm_a_SOURCES = \
	src/dm/crypt-map.c src/dm/crypt-map.h \
	src/dm/find.c src/dm/find.h \
	src/dm/found.c \
	src/dm/hot-stack.c \
	src/dm/kernel-key.c src/dm/kernel-key.h \
	src/dm/layout.c src/dm/layout.h \
	src/dm/names.c src/dm/names.h \
	src/dm/orphans.c src/dm/orphans.h \
	src/dm/stack.c src/dm/stack.h src/dm/stack-private.h \
	src/dm/stock-stack.c src/dm/stock-stack.h \
	src/dm/table.c src/dm/table.h \
	src/dm/takeover.c \
	src/dm/task.c src/dm/task.h \
	src/dm/thin.c src/dm/thin.h

# Needs root and device-mapper: tests/vm/test-dm-stack runs it in a guest.
check_PROGRAMS += src/dm/vm-test-stack
src_dm_vm_test_stack_SOURCES = \
	src/dm/vm-test-engine.c \
	src/dm/vm-test-kill.c \
	src/dm/vm-test-measure.c \
	src/dm/vm-test-refuse.c \
	src/dm/vm-test-stack.c src/dm/vm-test-stack.h \
	src/dm/vm-test-volume.c \
	src/dm/vm-test-writer.c
src_dm_vm_test_stack_LDADD = src/dm/libdm.a src/crypto/librcrypto.a src/util/libutil.a $(DEVMAPPER_LIBS) $(LIBSYSTEMD_LIBS)

UNIT_TESTS += src/dm/test-table
src_dm_test_table_SOURCES = src/dm/test-table.c
src_dm_test_table_LDADD = src/dm/libdm.a src/crypto/librcrypto.a src/util/libutil.a $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)
