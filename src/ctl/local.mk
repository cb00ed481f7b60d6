# SPDX-License-Identifier: GPL-3.0-or-later
CTL_LIBS = src/cli/libcli.a src/pace/libpace.a src/proto/libproto.a src/model/libmodel.a src/io/librio.a src/dm/libdm.a src/luks/libluks.a src/crypto/librcrypto.a \
	src/util/libutil.a $(LUKS_LIBS) $(DEVMAPPER_LIBS) $(LIBSYSTEMD_LIBS)

# Anybody may look at volumes.
bin_PROGRAMS += src/ctl/recryptctl
src_ctl_recryptctl_SOURCES = \
	src/ctl/recryptctl.c \
	src/ctl/active.c src/ctl/active.h src/ctl/append-options.c \
	src/ctl/bus-json.c src/ctl/bus-json.h \
	src/ctl/carry-over.c src/ctl/check-begun.c \
	src/ctl/agent.c src/ctl/agent.h \
	src/ctl/client.c src/ctl/client.h \
	src/ctl/foreground.c src/ctl/foreground-order.c src/ctl/foreground.h \
	src/ctl/interrupt.c src/ctl/interrupt.h \
	src/ctl/keyslots.c src/ctl/rotate-keys.c \
	src/ctl/status.c src/ctl/status.h \
	src/ctl/status-format.c src/ctl/status-format.h \
	src/ctl/complete.c src/ctl/complete.h \
	src/ctl/verb-cancel.c src/ctl/verb-change.c src/ctl/verb-config.c src/ctl/verb-reencrypt.c src/ctl/verb-show.c \
	src/ctl/verb-history.c src/ctl/verb-monitor.c src/ctl/verb-unlock.c src/ctl/verb-wait.c src/ctl/verbs.h \
	src/ctl/volume-find.c \
	src/ctl/table.c src/ctl/table.h \
	src/ctl/volume-table.c src/ctl/volume-table.h \
	src/ctl/volume-view.c src/ctl/volume-view.h \
	src/ctl/wait.c src/ctl/wait.h \
	src/ctl/watch.c src/ctl/watch.h \
	src/ctl/worker-process.c src/ctl/worker-process.h
src_ctl_recryptctl_LDADD = src/daemon/libdaemon.a $(CTL_LIBS)

UNIT_TESTS += src/ctl/test-status
src_ctl_test_status_SOURCES = src/ctl/test-status.c \
	src/ctl/active.c src/ctl/agent.c src/ctl/bus-json.c src/ctl/client.c src/ctl/status.c \
	src/ctl/status-format.c src/ctl/volume-view.c $(LUKS_TEST_IMAGE)
src_ctl_test_status_LDADD = $(CTL_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += src/ctl/test-view
src_ctl_test_view_SOURCES = src/ctl/test-view.c src/ctl/agent.c src/ctl/bus-json.c src/ctl/client.c \
	src/ctl/table.c src/ctl/volume-table.c src/ctl/volume-view.c
src_ctl_test_view_LDADD = $(CTL_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += src/ctl/test-append-options
src_ctl_test_append_options_SOURCES = src/ctl/test-append-options.c src/ctl/append-options.c $(TEST_BUS)
src_ctl_test_append_options_LDADD = src/daemon/libdaemon.a $(CTL_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += src/ctl/test-table
src_ctl_test_table_SOURCES = src/ctl/test-table.c src/ctl/table.c
src_ctl_test_table_LDADD = $(CTL_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/ctl/test-foreground-order
src_ctl_test_foreground_order_SOURCES = src/ctl/test-foreground-order.c src/ctl/foreground-order.c
src_ctl_test_foreground_order_LDADD = src/daemon/libdaemon.a $(CTL_LIBS) $(CMOCKA_LIBS)
