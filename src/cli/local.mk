# SPDX-License-Identifier: GPL-3.0-or-later
# What a program with a command line needs.
noinst_LIBRARIES += src/cli/libcli.a
src_cli_libcli_a_SOURCES = \
	src/cli/help.c src/cli/help.h \
	src/cli/lost-keyslots.c src/cli/lost-keyslots.h \
	src/cli/options.c src/cli/options.h \
	src/cli/options-table.c src/cli/options-table.h \
	src/cli/options-value.c \
	src/cli/passphrase.c src/cli/passphrase.h \
	src/cli/program.c src/cli/program.h \
	src/cli/progress.c src/cli/progress.h \
	src/cli/terminal.c src/cli/terminal.h

UNIT_TESTS += src/cli/test-help src/cli/test-options src/cli/test-passphrase src/cli/test-progress
src_cli_test_help_SOURCES = src/cli/test-help.c
src_cli_test_help_LDADD = src/cli/libcli.a src/model/libmodel.a src/pace/libpace.a src/util/libutil.a \
	$(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)
src_cli_test_options_SOURCES = src/cli/test-options.c
src_cli_test_options_LDADD = src/cli/libcli.a src/model/libmodel.a src/pace/libpace.a src/util/libutil.a \
	$(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)
src_cli_test_passphrase_SOURCES = src/cli/test-passphrase.c
src_cli_test_passphrase_LDADD = src/cli/libcli.a src/pace/libpace.a src/model/libmodel.a src/luks/libluks.a src/crypto/librcrypto.a src/util/libutil.a \
	$(LUKS_LIBS) $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)
src_cli_test_progress_SOURCES = src/cli/test-progress.c
src_cli_test_progress_LDADD = src/cli/libcli.a src/model/libmodel.a src/util/libutil.a \
	$(JSONC_LIBS) $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)
