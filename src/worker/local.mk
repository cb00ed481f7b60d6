# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += src/worker/libworker.a
src_worker_libworker_a_SOURCES = \
	src/worker/options.c src/worker/options.h \
	src/worker/options-table.c src/worker/options-table.h \
	src/worker/options-value.c \
	src/worker/passphrase.c src/worker/passphrase.h \
	src/worker/program.c src/worker/program.h \
	src/worker/progress.c src/worker/progress.h \
	src/worker/terminal.c src/worker/terminal.h

UNIT_TESTS += src/worker/test-options src/worker/test-passphrase src/worker/test-progress
src_worker_test_options_SOURCES = src/worker/test-options.c
src_worker_test_options_LDADD = src/worker/libworker.a src/util/libutil.a \
	$(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)
src_worker_test_passphrase_SOURCES = src/worker/test-passphrase.c
src_worker_test_passphrase_LDADD = src/worker/libworker.a src/luks/libluks.a src/crypto/librcrypto.a src/util/libutil.a \
	$(LUKS_LIBS) $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)
src_worker_test_progress_SOURCES = src/worker/test-progress.c
src_worker_test_progress_LDADD = src/worker/libworker.a src/util/libutil.a \
	$(JSONC_LIBS) $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)

src_worker_libworker_a_SOURCES += \
	src/worker/luks-store.c src/worker/luks-store.h

pkglibexec_PROGRAMS += src/worker/recrypt-worker
src_worker_recrypt_worker_SOURCES = \
	src/worker/conversion.c src/worker/conversion.h \
	src/worker/conversion-internal.h \
	src/worker/conversion-setup.c \
	src/worker/conversion-stack.c \
	src/worker/freezer-dm.c src/worker/freezer-dm.h \
	src/worker/jobs.c src/worker/jobs.h \
	src/worker/kernel-cipher.c src/worker/kernel-cipher.h \
	src/worker/volume.c src/worker/volume.h \
	src/worker/worker.c
src_worker_recrypt_worker_LDADD = src/worker/libworker.a src/engine/librengine.a src/io/librio.a \
	src/dm/libdm.a src/luks/libluks.a src/crypto/librcrypto.a src/util/libutil.a \
	$(LUKS_LIBS) $(LIBURING_LIBS) $(DEVMAPPER_LIBS) $(LIBSYSTEMD_LIBS)
