# SPDX-License-Identifier: GPL-3.0-or-later
# Targets for libFuzzer, one a parser. Built by "make fuzzers" in a build directory that was configured
# with CC=clang and --enable-fuzzers; tests/fuzz/test-fuzz does that and runs them.
FUZZERS = tests/fuzz/fuzz-header tests/fuzz/fuzz-record tests/fuzz/fuzz-config tests/fuzz/fuzz-crypttab \
	tests/fuzz/fuzz-calendar tests/fuzz/fuzz-service tests/fuzz/fuzz-worker-message \
	tests/fuzz/fuzz-bus-options tests/fuzz/fuzz-dm-table tests/fuzz/fuzz-thin-map \
	tests/fuzz/fuzz-child tests/fuzz/fuzz-text
EXTRA_PROGRAMS += $(FUZZERS)
EXTRA_DIST += tests/fuzz/test-fuzz tests/data/fuzz
fuzzers: $(FUZZERS)
list-fuzzers:
	@echo $(FUZZERS)
.PHONY: fuzzers list-fuzzers

FUZZ = tests/fuzz/fuzz.c tests/fuzz/fuzz.h
FUZZ_MESSAGE = $(FUZZ) tests/fuzz/message.c tests/fuzz/message.h
FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
FUZZ_UTIL = src/util/libutil.a $(LIBSYSTEMD_LIBS)

tests_fuzz_fuzz_header_SOURCES = tests/fuzz/fuzz-header.c $(FUZZ)
tests_fuzz_fuzz_header_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_header_LDADD = src/luks/libluks.a src/crypto/librcrypto.a $(FUZZ_UTIL) $(LUKS_LIBS)

tests_fuzz_fuzz_record_SOURCES = tests/fuzz/fuzz-record.c $(FUZZ)
tests_fuzz_fuzz_record_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_record_LDADD = $(DAEMON_LIBS)

tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz-config.c $(FUZZ)
tests_fuzz_fuzz_config_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_config_LDADD = $(DAEMON_LIBS)

tests_fuzz_fuzz_crypttab_SOURCES = tests/fuzz/fuzz-crypttab.c $(FUZZ)
tests_fuzz_fuzz_crypttab_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_crypttab_LDADD = $(DAEMON_LIBS)

tests_fuzz_fuzz_calendar_SOURCES = tests/fuzz/fuzz-calendar.c $(FUZZ)
tests_fuzz_fuzz_calendar_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_calendar_LDADD = $(DAEMON_LIBS)

tests_fuzz_fuzz_worker_message_SOURCES = tests/fuzz/fuzz-worker-message.c $(FUZZ_MESSAGE)
tests_fuzz_fuzz_worker_message_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_worker_message_LDADD = $(DAEMON_LIBS)

tests_fuzz_fuzz_bus_options_SOURCES = tests/fuzz/fuzz-bus-options.c $(FUZZ_MESSAGE)
tests_fuzz_fuzz_bus_options_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_bus_options_LDADD = $(DAEMON_LIBS)

tests_fuzz_fuzz_service_SOURCES = tests/fuzz/fuzz-service.c src/worker/control.c \
	src/worker/service-methods.c $(FUZZ_MESSAGE)
tests_fuzz_fuzz_service_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_service_LDADD = src/worker/libworker.a src/cli/libcli.a src/pace/libpace.a src/proto/libproto.a src/model/libmodel.a src/io/librio.a src/luks/libluks.a \
	src/crypto/librcrypto.a $(FUZZ_UTIL) $(LUKS_LIBS) $(LIBURING_LIBS)

tests_fuzz_fuzz_dm_table_SOURCES = tests/fuzz/fuzz-dm-table.c $(FUZZ)
tests_fuzz_fuzz_dm_table_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_dm_table_LDADD = src/dm/libdm.a src/crypto/librcrypto.a $(FUZZ_UTIL) $(DEVMAPPER_LIBS)

tests_fuzz_fuzz_thin_map_SOURCES = tests/fuzz/fuzz-thin-map.c $(FUZZ)
tests_fuzz_fuzz_thin_map_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_thin_map_LDADD = src/io/librio.a $(FUZZ_UTIL) $(LIBURING_LIBS)

tests_fuzz_fuzz_child_SOURCES = tests/fuzz/fuzz-child.c src/worker/provider.c src/worker/child.c \
	src/worker/process.c \
	$(FUZZ)
tests_fuzz_fuzz_child_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_child_LDADD = src/luks/libluks.a src/crypto/librcrypto.a $(FUZZ_UTIL) $(LUKS_LIBS)

tests_fuzz_fuzz_text_SOURCES = tests/fuzz/fuzz-text.c $(FUZZ)
tests_fuzz_fuzz_text_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_text_LDADD = src/luks/libluks.a src/crypto/librcrypto.a $(FUZZ_UTIL) $(LUKS_LIBS)
