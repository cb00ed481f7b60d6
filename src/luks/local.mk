# SPDX-License-Identifier: GPL-3.0-or-later
EXTRA_DIST += \
	src/luks/header.h \
	src/luks/lock.h \
	src/luks/meta-io.h \
	src/luks/reason.h \
	src/luks/reencrypt.h \
	src/luks/status.h \
	src/luks/validate.h \
	src/luks/wipe.h

noinst_LIBRARIES += src/luks/libluks.a
src_luks_libluks_a_SOURCES = \
	src/luks/begin.c src/luks/begin.h \
	src/luks/begin-check.c src/luks/begin-check.h \
	src/luks/context.c src/luks/context.h \
	src/luks/key-file.c src/luks/key-file.h \
	src/luks/keyslots.c src/luks/keyslots.h \
	src/luks/unlock.c src/luks/unlock.h

LUKS_LIBS = $(CRYPTSETUP_LIBS) $(BLKID_LIBS) $(JSONC_LIBS) $(LIBCRYPTO_LIBS)

UNIT_TESTS += src/luks/test-begin
src_luks_test_begin_SOURCES = src/luks/test-begin.c
src_luks_test_begin_LDADD = src/luks/libluks.a src/util/libutil.a $(LUKS_LIBS) \
	$(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)
