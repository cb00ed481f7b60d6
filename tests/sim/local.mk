# SPDX-License-Identifier: GPL-3.0-or-later
# The engine on a simulated disk.
noinst_LIBRARIES += tests/sim/libsim.a
tests_sim_libsim_a_SOURCES = \
	tests/sim/ahead.c tests/sim/ahead.h \
	tests/sim/application.c tests/sim/application.h \
	tests/sim/explore.c tests/sim/explore.h \
	tests/sim/medium.c tests/sim/medium.h tests/sim/medium-internal.h \
	tests/sim/power.c \
	tests/sim/random.h \
	tests/sim/restart.c tests/sim/restart.h \
	tests/sim/rot.c \
	tests/sim/run.c tests/sim/run.h \
	tests/sim/volume.c tests/sim/volume.h

SIM_LDADD = tests/sim/libsim.a src/worker/libworker.a src/cli/libcli.a src/model/libmodel.a src/engine/librengine.a src/pace/libpace.a src/io/librio.a \
	src/luks/libluks.a src/crypto/librcrypto.a src/util/libutil.a \
	$(LUKS_LIBS) $(LIBURING_LIBS) $(LIBSYSTEMD_LIBS) \
	$(CMOCKA_LIBS)

UNIT_TESTS += tests/sim/test-crash tests/sim/test-online tests/sim/test-invariants \
	tests/sim/test-failures
tests_sim_test_crash_SOURCES = tests/sim/test-crash.c
tests_sim_test_crash_LDADD = $(SIM_LDADD)
tests_sim_test_online_SOURCES = tests/sim/test-online.c
tests_sim_test_online_LDADD = $(SIM_LDADD)
tests_sim_test_invariants_SOURCES = tests/sim/test-invariants.c
tests_sim_test_invariants_LDADD = $(SIM_LDADD)
tests_sim_test_failures_SOURCES = tests/sim/test-failures.c
tests_sim_test_failures_LDADD = $(SIM_LDADD)

UNIT_TESTS += tests/sim/test-ahead
tests_sim_test_ahead_SOURCES = tests/sim/test-ahead.c
tests_sim_test_ahead_LDADD = $(SIM_LDADD)

UNIT_TESTS += tests/sim/test-pause
tests_sim_test_pause_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/sim
tests_sim_test_pause_SOURCES = tests/sim/test-pause.c
tests_sim_test_pause_LDADD = $(SIM_LDADD)

UNIT_TESTS += tests/sim/test-stall
tests_sim_test_stall_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/sim
tests_sim_test_stall_SOURCES = tests/sim/test-stall.c
tests_sim_test_stall_LDADD = $(SIM_LDADD)

UNIT_TESTS += tests/sim/test-skip
tests_sim_test_skip_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/sim
tests_sim_test_skip_SOURCES = tests/sim/test-skip.c
tests_sim_test_skip_LDADD = $(SIM_LDADD)

UNIT_TESTS += tests/sim/test-verify
tests_sim_test_verify_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/sim
tests_sim_test_verify_SOURCES = tests/sim/test-verify.c
tests_sim_test_verify_LDADD = $(SIM_LDADD)

UNIT_TESTS += tests/sim/test-two-disks
tests_sim_test_two_disks_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/sim
tests_sim_test_two_disks_SOURCES = tests/sim/test-two-disks.c
tests_sim_test_two_disks_LDADD = $(SIM_LDADD)

UNIT_TESTS += tests/sim/test-restart
tests_sim_test_restart_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/sim
tests_sim_test_restart_SOURCES = tests/sim/test-restart.c
tests_sim_test_restart_LDADD = $(SIM_LDADD)

UNIT_TESTS += tests/sim/test-rot
tests_sim_test_rot_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/sim
tests_sim_test_rot_SOURCES = tests/sim/test-rot.c
tests_sim_test_rot_LDADD = $(SIM_LDADD)

UNIT_TESTS += tests/sim/test-allocation
tests_sim_test_allocation_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/sim
tests_sim_test_allocation_SOURCES = tests/sim/test-allocation.c \
	tests/sim/allocator.c tests/sim/allocator.h \
	tests/sim/failing-memory.c tests/sim/failing-memory.h
tests_sim_test_allocation_LDADD = $(SIM_LDADD)
