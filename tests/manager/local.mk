# SPDX-License-Identifier: GPL-3.0-or-later
# The manager's control of volumes, with workers, disks, the clock and the fd store as data.
UNIT_TESTS += tests/manager/test-manager
tests_manager_test_manager_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/manager
tests_manager_test_manager_SOURCES = tests/manager/test-manager.c \
	tests/manager/checks.c \
	tests/manager/host.c tests/manager/host.h \
	tests/manager/link.c \
	tests/manager/loop.c tests/manager/loop.h \
	tests/manager/play.c tests/manager/play.h \
	tests/manager/store.c \
	tests/manager/worker.c tests/manager/worker-jobs.c \
	tests/manager/world.c tests/manager/world.h
tests_manager_test_manager_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
