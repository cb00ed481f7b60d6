# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += src/worker/libworker.a
src_worker_libworker_a_SOURCES = \
	src/worker/luks-store.c src/worker/luks-store.h \
	src/worker/own-header.c src/worker/own-header.h

UNIT_TESTS += src/worker/test-process
src_worker_test_process_SOURCES = src/worker/test-process.c src/worker/process.c src/worker/process.h
src_worker_test_process_LDADD = src/util/libutil.a \
	$(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)

# The steps of a job, and what they need.
WORKER_STEPS = \
	src/worker/conversion.c src/worker/conversion.h \
	src/worker/conversion-internal.h \
	src/worker/conversion-setup.c \
	src/worker/conversion-stack.c \
	src/worker/freezer-dm.c src/worker/freezer-dm.h \
	src/worker/identity.c src/worker/identity.h \
	src/worker/kernel-cipher.c src/worker/kernel-cipher.h \
	src/worker/live-key.c src/worker/live-key.h \
	src/worker/no-resilience.c src/worker/no-resilience.h \
	src/worker/process.c src/worker/process.h \
	src/worker/rehearsal.c src/worker/rehearsal.h \
	src/worker/resume-options.c src/worker/resume-options.h \
	src/worker/sector-check.c src/worker/sector-check.h \
	src/worker/steps.c src/worker/steps.h \
	src/worker/volume.c src/worker/volume.h \
	src/worker/volume-layout.c \
	src/worker/volume-use.c src/worker/volume-use.h \
	src/worker/work-options.h

pkglibexec_PROGRAMS += src/worker/recrypt-worker
src_worker_recrypt_worker_SOURCES = $(WORKER_STEPS) \
	src/worker/child.c src/worker/child.h \
	src/worker/control.c src/worker/control.h \
	src/worker/derive.c src/worker/derive.h \
	src/worker/run-event.c src/worker/run-event.h \
	src/worker/desk.c src/worker/desk.h \
	src/worker/governed.c src/worker/governed.h \
	src/worker/held-keys.c src/worker/held-keys.h \
	src/worker/look.c src/worker/look.h \
	src/worker/provider.c src/worker/provider.h src/worker/provider-frame.h \
	src/worker/provider-child.c \
	src/worker/read-file.c src/worker/read-file.h \
	src/worker/record-keys.c src/worker/record-keys.h \
	src/worker/service.c src/worker/service.h src/worker/service-internal.h \
	src/worker/service-fill.c \
	src/worker/service-jobs.c src/worker/service-jobs.h \
	src/worker/service-keys.c src/worker/service-keys.h \
	src/worker/service-methods.c \
	src/worker/service-signals.c \
	src/worker/service-watch.c src/worker/service-watch.h \
	src/worker/work.c src/worker/work.h \
	src/worker/worker.c
src_worker_recrypt_worker_LDADD = src/worker/libworker.a $(PROTO_LIBS) src/engine/librengine.a src/pace/libpace.a src/io/librio.a \
	src/dm/libdm.a src/luks/libluks.a src/crypto/librcrypto.a src/util/libutil.a \
	$(LUKS_LIBS) $(LIBURING_LIBS) $(DEVMAPPER_LIBS) $(LIBSYSTEMD_LIBS)

UNIT_TESTS += src/worker/test-rehearsal
src_worker_test_rehearsal_SOURCES = src/worker/test-rehearsal.c $(WORKER_STEPS) $(LUKS_TEST_BEGIN)
src_worker_test_rehearsal_LDADD = src/worker/libworker.a src/model/libmodel.a src/engine/librengine.a src/pace/libpace.a src/io/librio.a \
	src/dm/libdm.a src/luks/libluks.a src/crypto/librcrypto.a src/util/libutil.a \
	$(LUKS_LIBS) $(LIBURING_LIBS) $(DEVMAPPER_LIBS) $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += src/worker/test-work
src_worker_test_work_SOURCES = src/worker/test-work.c src/worker/work.c src/worker/work.h \
	$(WORKER_STEPS) $(LUKS_TEST_BEGIN)
src_worker_test_work_LDADD = $(src_worker_test_rehearsal_LDADD)

SERVICE_TEST_SUPPORT = src/worker/test-service-support.c src/worker/test-service-support.h
SERVICE_TEST_LIBS = src/proto/libproto.a src/model/libmodel.a src/luks/libluks.a src/crypto/librcrypto.a \
	src/util/libutil.a $(LUKS_LIBS) $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += src/worker/test-service
src_worker_test_service_SOURCES = src/worker/test-service.c $(SERVICE_TEST_SUPPORT)
src_worker_test_service_LDADD = $(SERVICE_TEST_LIBS)

UNIT_TESTS += src/worker/test-service-identity src/worker/test-service-limits \
	src/worker/test-service-keys
src_worker_test_service_identity_SOURCES = src/worker/test-service-identity.c $(SERVICE_TEST_SUPPORT)
src_worker_test_service_identity_LDADD = $(SERVICE_TEST_LIBS)
src_worker_test_service_limits_SOURCES = src/worker/test-service-limits.c $(SERVICE_TEST_SUPPORT)
src_worker_test_service_limits_LDADD = $(SERVICE_TEST_LIBS)
src_worker_test_service_keys_SOURCES = src/worker/test-service-keys.c $(SERVICE_TEST_SUPPORT)
src_worker_test_service_keys_LDADD = $(SERVICE_TEST_LIBS)

UNIT_TESTS += src/worker/test-service-foreground
src_worker_test_service_foreground_SOURCES = src/worker/test-service-foreground.c $(SERVICE_TEST_SUPPORT)
src_worker_test_service_foreground_LDADD = $(SERVICE_TEST_LIBS)

UNIT_TESTS += src/worker/test-service-in-use
src_worker_test_service_in_use_SOURCES = src/worker/test-service-in-use.c $(SERVICE_TEST_SUPPORT)
src_worker_test_service_in_use_LDADD = $(SERVICE_TEST_LIBS)

# A plugin is found by its file name and its symbol version.
SERVICE_TEST_PLUGIN = src/worker/libcryptsetup-token-recryptd-test.so
check_DATA = $(SERVICE_TEST_PLUGIN)
CLEANFILES += $(SERVICE_TEST_PLUGIN)
EXTRA_DIST += src/worker/test-token-plugin.c src/worker/test-token-plugin.map
$(SERVICE_TEST_PLUGIN): src/worker/test-token-plugin.c src/worker/test-token-plugin.map
	$(AM_V_CCLD)$(CC) $(CPPFLAGS) $(CRYPTSETUP_CFLAGS) -std=gnu17 -Wall -Wextra $(CFLAGS) -shared -fPIC \
		-Wl,--version-script=$(srcdir)/src/worker/test-token-plugin.map -o $@ \
		$(srcdir)/src/worker/test-token-plugin.c $(CRYPTSETUP_LIBS)
