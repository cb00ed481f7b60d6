# SPDX-License-Identifier: GPL-3.0-or-later
# Whole folders: each test is one program and needs no entry here.
EXTRA_DIST += .clang-tidy .ci/run tests/run tests/static tests/daemon tests/dist tests/offline tests/vm \
	tests/crash tests/data/cryptsetup-options.txt

# The application of the tests that need one on a volume.
check_PROGRAMS += tests/vm/writer
tests_vm_writer_SOURCES = tests/vm/writer.c
tests_vm_writer_LDADD = src/util/libutil.a $(LIBSYSTEMD_LIBS)

# The client of the service that means no good.
check_PROGRAMS += tests/vm/hostile
tests_vm_hostile_SOURCES = tests/vm/hostile.c
tests_vm_hostile_LDADD = $(LIBSYSTEMD_LIBS)

# Prints how a source is compiled, for tests/static.
list-compile-flags:
	@echo $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(LUKS_TEST_CPPFLAGS) $(AM_CFLAGS) \
		$(FUSE3_CFLAGS)
.PHONY: list-compile-flags

# What the replay of recorded crashes runs thousands of times.
check_PROGRAMS += tests/crash/plaintext tests/crash/stock-recover
tests_crash_plaintext_SOURCES = tests/crash/plaintext.c
tests_crash_plaintext_LDADD = src/crypto/librcrypto.a src/util/libutil.a $(CRYPTSETUP_LIBS) \
	$(LIBCRYPTO_LIBS) $(LIBSYSTEMD_LIBS)
tests_crash_stock_recover_SOURCES = tests/crash/stock-recover.c
tests_crash_stock_recover_LDADD = $(CRYPTSETUP_LIBS)

# What makes allocations of any program fail.
FAIL_ALLOCATION = tests/offline/fail-allocation.so
FAIL_ALLOCATION_FROM = $(srcdir)/tests/offline/fail-allocation.c $(srcdir)/tests/sim/allocator.c
check_DATA += $(FAIL_ALLOCATION)
CLEANFILES += $(FAIL_ALLOCATION)
$(FAIL_ALLOCATION): $(FAIL_ALLOCATION_FROM) tests/sim/allocator.h
	$(AM_V_at)$(MKDIR_P) tests/offline
	$(AM_V_CCLD)$(CC) $(CPPFLAGS) -D_GNU_SOURCE -std=gnu17 -Wall -Wextra $(CFLAGS) -fno-builtin -shared -fPIC \
		-o $@ $(FAIL_ALLOCATION_FROM)

# What user-mode Linux is started with.
UML_PTRACE = tests/vm/uml-ptrace.so
check_DATA += $(UML_PTRACE)
CLEANFILES += $(UML_PTRACE)
$(UML_PTRACE): $(srcdir)/tests/vm/uml-ptrace.c
	$(AM_V_at)$(MKDIR_P) tests/vm
	$(AM_V_CCLD)$(CC) $(CPPFLAGS) -D_GNU_SOURCE -std=gnu17 -Wall -Wextra -O2 -shared -fPIC \
		-o $@ $(srcdir)/tests/vm/uml-ptrace.c
