# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += src/daemon/libdaemon.a
src_daemon_libdaemon_a_SOURCES = \
	src/daemon/bus.c src/daemon/bus.h src/daemon/bus-internal.h \
	src/daemon/bus-arguments.c src/daemon/bus-arguments.h \
	src/daemon/bus-call.c src/daemon/bus-call.h \
	src/daemon/bus-introspect.c \
	src/daemon/bus-job.c \
	src/daemon/bus-manager.c \
	src/daemon/bus-message.c \
	src/daemon/bus-options.c src/daemon/bus-options.h \
	src/daemon/bus-volume.c src/daemon/bus-volume-verbs.c \
	src/daemon/log-control.c src/daemon/log-control.h \
	src/daemon/politeness.c src/daemon/politeness.h \
	src/daemon/polkit.c src/daemon/polkit.h \
	src/daemon/calendar.c src/daemon/calendar.h src/daemon/calendar-parse.c \
	src/daemon/config.c src/daemon/config.h \
	src/daemon/config-data.c src/daemon/config-internal.h src/daemon/config-parse.c \
	src/daemon/config-volume.c \
	src/daemon/core.h \
	src/daemon/crypttab.c src/daemon/crypttab.h \
	src/daemon/deadline.c src/daemon/deadline.h \
	src/daemon/discover.c src/daemon/discover.h \
	src/daemon/duplicates.c src/daemon/duplicates.h \
	src/daemon/events.c src/daemon/events.h \
	src/daemon/failure.c src/daemon/failure.h \
	src/daemon/file-reader.c src/daemon/file-reader.h \
	src/daemon/group.c \
	src/daemon/inhibit.c src/daemon/inhibit.h \
	src/daemon/job.c src/daemon/job.h \
	src/daemon/manager.c src/daemon/manager.h \
	src/daemon/manager-clock.c \
	src/daemon/manager-turn.c \
	src/daemon/many.c \
	src/daemon/probe.c src/daemon/probe.h \
	src/daemon/record.c src/daemon/record.h \
	src/daemon/record-check.c src/daemon/record-life.c \
	src/daemon/remembered.c src/daemon/remembered.h \
	src/daemon/schedule.c src/daemon/schedule.h \
	src/daemon/spawn.c src/daemon/spawn.h \
	src/daemon/state-file.c \
	src/daemon/store.c src/daemon/store.h \
	src/daemon/volume.c src/daemon/volume.h \
	src/daemon/volume-clock.c \
	src/daemon/volume-ended.c \
	src/daemon/volume-identity.c \
	src/daemon/volume-plan.c src/daemon/volume-plan.h \
	src/daemon/volume-request.c \
	src/daemon/volume-run.c \
	src/daemon/volume-state.c \
	src/daemon/volume-step.c \
	src/daemon/volume-trust.c \
	src/daemon/volume-verbs.c \
	src/daemon/volume-worker.c \
	src/daemon/window.c src/daemon/window.h \
	src/daemon/worker-link.c src/daemon/worker-link.h
DAEMON_LIBS = src/daemon/libdaemon.a src/worker/libworker.a src/io/librio.a src/dm/libdm.a \
	src/crypto/librcrypto.a $(PROTO_LIBS) \
	$(DEVMAPPER_LIBS) $(JSONC_LIBS) $(LIBSYSTEMD_LIBS)

sbin_PROGRAMS += src/daemon/recryptd
src_daemon_recryptd_SOURCES = src/daemon/main.c
src_daemon_recryptd_LDADD = $(DAEMON_LIBS)

UNIT_TESTS += src/daemon/test-config src/daemon/test-crypttab src/daemon/test-plan \
	src/daemon/test-deadline src/daemon/test-record src/daemon/test-schedule src/daemon/test-window
src_daemon_test_deadline_SOURCES = src/daemon/test-deadline.c
src_daemon_test_deadline_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
src_daemon_test_window_SOURCES = src/daemon/test-window.c
src_daemon_test_window_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/test-state-file
src_daemon_test_state_file_SOURCES = src/daemon/test-state-file.c
src_daemon_test_state_file_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
src_daemon_test_config_SOURCES = src/daemon/test-config.c
src_daemon_test_config_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
src_daemon_test_schedule_SOURCES = src/daemon/test-schedule.c
src_daemon_test_schedule_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
src_daemon_test_record_SOURCES = src/daemon/test-record.c
src_daemon_test_record_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
src_daemon_test_plan_SOURCES = src/daemon/test-plan.c
src_daemon_test_plan_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
src_daemon_test_crypttab_SOURCES = src/daemon/test-crypttab.c
src_daemon_test_crypttab_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
