# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += src/luks/libluks.a
src_luks_libluks_a_SOURCES = \
	src/luks/begin.c src/luks/begin.h \
	src/luks/begin-check.c src/luks/begin-check.h \
	src/luks/begin-commit.c src/luks/begin-internal.h \
	src/luks/begin-leftover.c src/luks/begin-leftover.h \
	src/luks/begin-elsewhere.c \
	src/luks/begin-open.c \
	src/luks/begin-strength.c src/luks/begin-strength.h \
	src/luks/bindings.c src/luks/bindings.h \
	src/luks/context.c src/luks/context.h \
	src/luks/cost.c src/luks/cost.h \
	src/luks/derive.c src/luks/derive.h \
	src/luks/derive-job.c src/luks/derive-job.h \
	src/luks/derive-open.c \
	src/luks/derive-serve.c \
	src/luks/draft.c src/luks/draft.h \
	src/luks/draft-put.c src/luks/draft-internal.h \
	src/luks/fields.c src/luks/fields.h \
	src/luks/freed.c src/luks/freed.h \
	src/luks/header-disk.c src/luks/header-disk.h \
	src/luks/header-read.c \
	src/luks/header-write.c \
	src/luks/json-text.c src/luks/json-text.h \
	src/luks/header.h \
	src/luks/key-file.c src/luks/key-file.h \
	src/luks/key-ring.c src/luks/key-ring.h \
	src/luks/keyslots.c src/luks/keyslots.h \
	src/luks/lock.c src/luks/lock.h \
	src/luks/look.c src/luks/look.h \
	src/luks/meta-io.c src/luks/meta-io.h \
	src/luks/names.c src/luks/names.h \
	src/luks/new-key.c src/luks/new-key.h \
	src/luks/numbers.c src/luks/numbers.h \
	src/luks/place.c src/luks/place.h \
	src/luks/reason.c src/luks/reason.h \
	src/luks/record.c src/luks/record.h \
	src/luks/record-mac.c src/luks/record-mac.h \
	src/luks/reencrypt-blocks.c \
	src/luks/reencrypt-area.c src/luks/reencrypt-area.h \
	src/luks/reencrypt-resilience.c \
	src/luks/reencrypt-digest.c src/luks/reencrypt-digest.h \
	src/luks/reencrypt-edit.c \
	src/luks/reencrypt-keyslot.c src/luks/reencrypt-keyslot.h \
	src/luks/reencrypt-layout.c src/luks/reencrypt-layout.h \
	src/luks/reencrypt-load.c \
	src/luks/reencrypt-reverse.c \
	src/luks/reencrypt-room.c \
	src/luks/reencrypt-stock.c \
	src/luks/reencrypt.h \
	src/luks/requirement.c src/luks/requirement.h \
	src/luks/segment.c src/luks/segment.h \
	src/luks/settle.c src/luks/settle.h \
	src/luks/status.c src/luks/status.h \
	src/luks/token-choice.c src/luks/token-choice.h \
	src/luks/token-plugin.c src/luks/token-plugin.h \
	src/luks/unlock.c src/luks/unlock.h \
	src/luks/validate.c src/luks/validate.h \
	src/luks/wipe.c src/luks/wipe.h

LUKS_LIBS = $(CRYPTSETUP_LIBS) $(BLKID_LIBS) $(JSONC_LIBS) $(LIBCRYPTO_LIBS)

LUKS_TEST_CPPFLAGS = $(AM_CPPFLAGS) -DTEST_DATA_DIR='"$(abs_top_srcdir)/tests/data"'
LUKS_TEST_SUPPORT = src/luks/test-support.c src/luks/test-support.h
LUKS_TEST_IMAGE = src/luks/test-image.c src/luks/test-image.h
LUKS_TEST_LIBS = src/luks/libluks.a src/crypto/librcrypto.a src/util/libutil.a $(LUKS_LIBS) \
	$(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)
EXTRA_DIST += tests/data/luks2-states

LUKS_TEST_BEGIN = src/luks/test-begin-util.c src/luks/test-begin-util.h $(LUKS_TEST_IMAGE)
UNIT_TESTS += src/luks/test-bindings
src_luks_test_bindings_SOURCES = src/luks/test-bindings.c
src_luks_test_bindings_LDADD = $(LUKS_TEST_LIBS)

UNIT_TESTS += src/luks/test-numbers
src_luks_test_numbers_SOURCES = src/luks/test-numbers.c
src_luks_test_numbers_LDADD = $(LUKS_TEST_LIBS)

UNIT_TESTS += src/luks/test-freed
src_luks_test_freed_SOURCES = src/luks/test-freed.c $(LUKS_TEST_SUPPORT)
src_luks_test_freed_LDADD = $(LUKS_TEST_LIBS)
src_luks_test_freed_CPPFLAGS = $(LUKS_TEST_CPPFLAGS)

UNIT_TESTS += src/luks/test-begin src/luks/test-begin-refuse src/luks/test-unlock \
	src/luks/test-keyslots
src_luks_test_begin_SOURCES = src/luks/test-begin.c $(LUKS_TEST_BEGIN)
src_luks_test_begin_LDADD = $(LUKS_TEST_LIBS)
UNIT_TESTS += src/luks/test-begin-strength
src_luks_test_begin_strength_SOURCES = src/luks/test-begin-strength.c $(LUKS_TEST_BEGIN)
src_luks_test_begin_strength_LDADD = $(LUKS_TEST_LIBS)
src_luks_test_begin_refuse_SOURCES = src/luks/test-begin-refuse.c $(LUKS_TEST_BEGIN)
src_luks_test_begin_refuse_LDADD = $(LUKS_TEST_LIBS)
src_luks_test_unlock_SOURCES = src/luks/test-unlock.c $(LUKS_TEST_BEGIN)
src_luks_test_unlock_LDADD = $(LUKS_TEST_LIBS)
src_luks_test_keyslots_SOURCES = src/luks/test-keyslots.c
src_luks_test_keyslots_LDADD = $(LUKS_TEST_LIBS)

UNIT_TESTS += src/luks/test-cost
src_luks_test_cost_SOURCES = src/luks/test-cost.c
src_luks_test_cost_LDADD = $(LUKS_TEST_LIBS)

UNIT_TESTS += src/luks/test-reencrypt
src_luks_test_reencrypt_SOURCES = src/luks/test-reencrypt.c $(LUKS_TEST_SUPPORT)
src_luks_test_reencrypt_CPPFLAGS = $(LUKS_TEST_CPPFLAGS)
src_luks_test_reencrypt_LDADD = $(LUKS_TEST_LIBS)

UNIT_TESTS += src/luks/test-record
src_luks_test_record_SOURCES = src/luks/test-record.c $(LUKS_TEST_SUPPORT)
src_luks_test_record_CPPFLAGS = $(LUKS_TEST_CPPFLAGS)
src_luks_test_record_LDADD = $(LUKS_TEST_LIBS)

UNIT_TESTS += src/luks/test-header src/luks/test-header-pick
src_luks_test_header_SOURCES = src/luks/test-header.c $(LUKS_TEST_SUPPORT)
src_luks_test_header_CPPFLAGS = $(LUKS_TEST_CPPFLAGS)
src_luks_test_header_LDADD = $(LUKS_TEST_LIBS)
src_luks_test_header_pick_SOURCES = src/luks/test-header-pick.c $(LUKS_TEST_SUPPORT)
src_luks_test_header_pick_CPPFLAGS = $(LUKS_TEST_CPPFLAGS)
src_luks_test_header_pick_LDADD = $(LUKS_TEST_LIBS)

UNIT_TESTS += src/luks/test-json-text
src_luks_test_json_text_SOURCES = src/luks/test-json-text.c
src_luks_test_json_text_LDADD = src/luks/libluks.a $(LUKS_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/luks/test-validate
src_luks_test_validate_SOURCES = src/luks/test-validate.c $(LUKS_TEST_SUPPORT)
src_luks_test_validate_CPPFLAGS = $(LUKS_TEST_CPPFLAGS)
src_luks_test_validate_LDADD = $(LUKS_TEST_LIBS)

UNIT_TESTS += src/luks/test-lock src/luks/test-meta-io
src_luks_test_lock_SOURCES = src/luks/test-lock.c
src_luks_test_lock_LDADD = $(LUKS_TEST_LIBS)
src_luks_test_meta_io_SOURCES = src/luks/test-meta-io.c
src_luks_test_meta_io_LDADD = $(LUKS_TEST_LIBS)

UNIT_TESTS += src/luks/test-stock
src_luks_test_stock_SOURCES = src/luks/test-stock.c $(LUKS_TEST_IMAGE)
src_luks_test_stock_LDADD = $(LUKS_TEST_LIBS)
