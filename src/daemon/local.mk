# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += src/daemon/libdaemon.a
src_daemon_libdaemon_a_SOURCES = \
	src/daemon/policy/calendar.c src/daemon/policy/calendar.h src/daemon/policy/calendar-parse.c \
	src/daemon/policy/deadline.c src/daemon/policy/deadline.h \
	src/daemon/policy/schedule.c src/daemon/policy/schedule.h \
	src/daemon/policy/units.c src/daemon/policy/units.h \
	src/daemon/policy/unit-text.c src/daemon/policy/unit-text.h \
	src/daemon/policy/volume-plan.c src/daemon/policy/volume-plan.h \
	src/daemon/policy/window.c src/daemon/policy/window.h \
	src/daemon/state/config-check.c \
	src/daemon/state/accepted.c src/daemon/state/accepted.h src/daemon/state/caller.c src/daemon/state/caller.h \
	src/daemon/state/config-data.c src/daemon/state/config-internal.h \
	src/daemon/state/config-rows.c src/daemon/state/config-show.c \
	src/daemon/state/config-text.c src/daemon/state/config-volume.c \
	src/daemon/state/config.c src/daemon/state/config.h \
	src/daemon/state/failure.c src/daemon/state/failure.h \
	src/daemon/state/history.c src/daemon/state/history.h \
	src/daemon/state/job.c src/daemon/state/job.h \
	src/daemon/state/job-numbers.c src/daemon/state/job-numbers.h \
	src/daemon/state/kept-text.c src/daemon/state/kept-text.h \
	src/daemon/state/on-event.c src/daemon/state/on-event.h \
	src/daemon/state/politeness.c src/daemon/state/politeness.h \
	src/daemon/state/record-check.c src/daemon/state/record-life.c \
	src/daemon/state/record-wish.c \
	src/daemon/state/record.c src/daemon/state/record.h \
	src/daemon/state/remembered.c src/daemon/state/remembered.h \
	src/daemon/state/saved-state.c src/daemon/state/saved-state.h \
	src/daemon/state/state-dir.c src/daemon/state/state-dir.h \
	src/daemon/state/state-file.c \
	src/daemon/state/whole-file.c src/daemon/state/whole-file.h \
	src/daemon/state/volume-header.c src/daemon/state/volume-header.h \
	src/daemon/state/volume-progress.c src/daemon/state/volume-progress.h \
	src/daemon/state/volume-trouble.c src/daemon/state/volume-trouble.h \
	src/daemon/state/volume-writing.c src/daemon/state/volume-writing.h \
	src/daemon/workers/duplicates.c src/daemon/workers/duplicates.h \
	src/daemon/workers/file-reader.c src/daemon/workers/file-reader.h \
	src/daemon/workers/probe.c src/daemon/workers/probe.h \
	src/daemon/workers/spawn.c src/daemon/workers/spawn.h \
	src/daemon/workers/store.c src/daemon/workers/store.h \
	src/daemon/workers/stuck.c src/daemon/workers/stuck.h \
	src/daemon/workers/worker-link.c src/daemon/workers/worker-link.h \
	src/daemon/control/absent.c src/daemon/control/absent.h \
	src/daemon/control/core.h \
	src/daemon/control/crypttab.c src/daemon/control/crypttab.h \
	src/daemon/control/crypttab-names.c src/daemon/control/crypttab-names.h \
	src/daemon/control/discover.c src/daemon/control/discover.h \
	src/daemon/workers/duplicates.c src/daemon/workers/duplicates.h \
	src/daemon/control/events.c src/daemon/control/events.h \
	src/daemon/control/found.c \
	src/daemon/control/group.c \
	src/daemon/control/inhibit.c src/daemon/control/inhibit.h \
	src/daemon/control/manager-clock.c \
	src/daemon/control/manager-kept.c \
	src/daemon/control/manager-rest.c \
	src/daemon/control/manager-turn.c \
	src/daemon/control/manager.c src/daemon/control/manager.h \
	src/daemon/control/mapping.c src/daemon/control/mapping.h \
	src/daemon/control/mark.c src/daemon/control/mark.h \
	src/daemon/control/many.c \
	src/daemon/state/politeness.c src/daemon/state/politeness.h \
	src/daemon/control/place.c src/daemon/control/place.h \
	src/daemon/control/rate-share.c \
	src/daemon/control/rotate-all.c \
	src/daemon/control/rotation-end.c \
	src/daemon/control/volume-clock.c src/daemon/control/volume-clock.h \
	src/daemon/control/volume-conflict.c \
	src/daemon/control/volume-ended.c \
	src/daemon/control/volume-identity.c \
	src/daemon/control/volume-keys.c src/daemon/control/volume-keys.h \
	src/daemon/control/volume-outcome.c \
	src/daemon/control/volume-release.c \
	src/daemon/control/volume-request.c \
	src/daemon/control/volume-run.c \
	src/daemon/control/volume-settings.c src/daemon/control/volume-settings.h \
	src/daemon/control/volume-state.c src/daemon/control/volume-state.h \
	src/daemon/control/volume-step.c \
	src/daemon/control/volume-trust.c src/daemon/control/volume-trust.h \
	src/daemon/control/volume-verbs.c \
	src/daemon/control/volume-worker.c \
	src/daemon/control/volume.c src/daemon/control/volume.h \
	src/daemon/control/volumes.c \
	src/daemon/control/worker-slot.c src/daemon/control/worker-slot.h \
	src/daemon/bus/bus-arguments.c src/daemon/bus/bus-arguments.h \
	src/daemon/bus/bus-call.c src/daemon/bus/bus-call.h \
	src/daemon/bus/bus-config.c \
	src/daemon/bus/bus-history.c \
	src/daemon/bus/bus-introspect.c \
	src/daemon/bus/bus-job.c \
	src/daemon/bus/bus-manager.c \
	src/daemon/bus/bus-message.c \
	src/daemon/bus/bus-path.c \
	src/daemon/bus/bus-options.c src/daemon/bus/bus-options.h \
	src/daemon/bus/bus-volume.c src/daemon/bus/bus-volume-verbs.c \
	src/daemon/bus/bus.c src/daemon/bus/bus.h src/daemon/bus/bus-internal.h \
	src/daemon/bus/log-control.c src/daemon/bus/log-control.h \
	src/daemon/bus/polkit.c src/daemon/bus/polkit.h \
	src/daemon/bus/run-event.c src/daemon/bus/run-event.h
DAEMON_LIBS = src/daemon/libdaemon.a src/cli/libcli.a src/pace/libpace.a src/io/librio.a src/dm/libdm.a \
	src/crypto/librcrypto.a $(PROTO_LIBS) \
	$(DEVMAPPER_LIBS) $(JSONC_LIBS) $(LIBSYSTEMD_LIBS)

sbin_PROGRAMS += src/daemon/recryptd
src_daemon_recryptd_SOURCES = src/daemon/main.c
src_daemon_recryptd_LDADD = $(DAEMON_LIBS)

UNIT_TESTS += src/daemon/policy/test-deadline
src_daemon_policy_test_deadline_SOURCES = src/daemon/policy/test-deadline.c
src_daemon_policy_test_deadline_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/policy/test-plan
src_daemon_policy_test_plan_SOURCES = src/daemon/policy/test-plan.c
src_daemon_policy_test_plan_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/policy/test-schedule
src_daemon_policy_test_schedule_SOURCES = src/daemon/policy/test-schedule.c
src_daemon_policy_test_schedule_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/policy/test-window
src_daemon_policy_test_window_SOURCES = src/daemon/policy/test-window.c
src_daemon_policy_test_window_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/state/test-config
src_daemon_state_test_config_SOURCES = src/daemon/state/test-config.c src/model/test-text.c src/model/test-text.h
src_daemon_state_test_config_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/state/test-record
src_daemon_state_test_record_SOURCES = src/daemon/state/test-record.c
src_daemon_state_test_record_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/state/test-job-numbers
src_daemon_state_test_job_numbers_SOURCES = src/daemon/state/test-job-numbers.c
src_daemon_state_test_job_numbers_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/state/test-history
src_daemon_state_test_history_SOURCES = src/daemon/state/test-history.c
src_daemon_state_test_history_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/state/test-kept
src_daemon_state_test_kept_SOURCES = src/daemon/state/test-kept.c
src_daemon_state_test_kept_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/state/test-state-file
src_daemon_state_test_state_file_SOURCES = src/daemon/state/test-state-file.c
src_daemon_state_test_state_file_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-crypttab-names
src_daemon_control_test_crypttab_names_SOURCES = src/daemon/control/test-crypttab-names.c
src_daemon_control_test_crypttab_names_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-crypttab
src_daemon_control_test_crypttab_SOURCES = src/daemon/control/test-crypttab.c
src_daemon_control_test_crypttab_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/state/test-volume-slots
src_daemon_state_test_volume_slots_SOURCES = src/daemon/state/test-volume-slots.c
src_daemon_state_test_volume_slots_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/state/test-job
src_daemon_state_test_job_SOURCES = src/daemon/state/test-job.c
src_daemon_state_test_job_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/state/test-record-wish
src_daemon_state_test_record_wish_SOURCES = src/daemon/state/test-record-wish.c
src_daemon_state_test_record_wish_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-mark
src_daemon_control_test_mark_SOURCES = src/daemon/control/test-mark.c
src_daemon_control_test_mark_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-volume-keys
src_daemon_control_test_volume_keys_SOURCES = src/daemon/control/test-volume-keys.c
src_daemon_control_test_volume_keys_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-worker-slot
src_daemon_control_test_worker_slot_SOURCES = src/daemon/control/test-worker-slot.c
src_daemon_control_test_worker_slot_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)

VOLUME_TEST = src/daemon/control/test-volume.c src/daemon/control/test-volume.h
UNIT_TESTS += src/daemon/control/test-volume-life
src_daemon_control_test_volume_life_SOURCES = src/daemon/control/test-volume-life.c $(VOLUME_TEST)
src_daemon_control_test_volume_life_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-volume-request
src_daemon_control_test_volume_request_SOURCES = src/daemon/control/test-volume-request.c $(VOLUME_TEST)
src_daemon_control_test_volume_request_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-volumes
src_daemon_control_test_volumes_SOURCES = src/daemon/control/test-volumes.c $(VOLUME_TEST)
src_daemon_control_test_volumes_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-group
src_daemon_control_test_group_SOURCES = src/daemon/control/test-group.c $(VOLUME_TEST)
src_daemon_control_test_group_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-volume-clock
src_daemon_control_test_volume_clock_SOURCES = src/daemon/control/test-volume-clock.c
src_daemon_control_test_volume_clock_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-volume-trust
src_daemon_control_test_volume_trust_SOURCES = src/daemon/control/test-volume-trust.c $(VOLUME_TEST)
src_daemon_control_test_volume_trust_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-place
src_daemon_control_test_place_SOURCES = src/daemon/control/test-place.c
src_daemon_control_test_place_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/workers/test-probe
src_daemon_workers_test_probe_SOURCES = src/daemon/workers/test-probe.c
src_daemon_workers_test_probe_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/state/test-remembered
src_daemon_state_test_remembered_SOURCES = src/daemon/state/test-remembered.c
src_daemon_state_test_remembered_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/state/test-politeness
src_daemon_state_test_politeness_SOURCES = src/daemon/state/test-politeness.c
src_daemon_state_test_politeness_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/state/test-whole-file
src_daemon_state_test_whole_file_SOURCES = src/daemon/state/test-whole-file.c
src_daemon_state_test_whole_file_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-found
src_daemon_control_test_found_SOURCES = src/daemon/control/test-found.c $(VOLUME_TEST)
src_daemon_control_test_found_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-volume-settings
src_daemon_control_test_volume_settings_SOURCES = src/daemon/control/test-volume-settings.c $(VOLUME_TEST)
src_daemon_control_test_volume_settings_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-many
src_daemon_control_test_many_SOURCES = src/daemon/control/test-many.c $(VOLUME_TEST)
src_daemon_control_test_many_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-rotate-all
src_daemon_control_test_rotate_all_SOURCES = src/daemon/control/test-rotate-all.c $(VOLUME_TEST)
src_daemon_control_test_rotate_all_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-rate-share
src_daemon_control_test_rate_share_SOURCES = src/daemon/control/test-rate-share.c $(VOLUME_TEST)
src_daemon_control_test_rate_share_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-volume-conflict
src_daemon_control_test_volume_conflict_SOURCES = src/daemon/control/test-volume-conflict.c $(VOLUME_TEST)
src_daemon_control_test_volume_conflict_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-manager-rest
src_daemon_control_test_manager_rest_SOURCES = src/daemon/control/test-manager-rest.c $(VOLUME_TEST)
src_daemon_control_test_manager_rest_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-manager-clock
src_daemon_control_test_manager_clock_SOURCES = src/daemon/control/test-manager-clock.c $(VOLUME_TEST)
src_daemon_control_test_manager_clock_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-discover
src_daemon_control_test_discover_SOURCES = src/daemon/control/test-discover.c $(VOLUME_TEST)
src_daemon_control_test_discover_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-events
src_daemon_control_test_events_SOURCES = src/daemon/control/test-events.c
src_daemon_control_test_events_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-inhibit
src_daemon_control_test_inhibit_SOURCES = src/daemon/control/test-inhibit.c $(VOLUME_TEST)
src_daemon_control_test_inhibit_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/bus/test-bus-path
src_daemon_bus_test_bus_path_SOURCES = src/daemon/bus/test-bus-path.c $(VOLUME_TEST)
src_daemon_bus_test_bus_path_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/bus/test-bus-arguments
src_daemon_bus_test_bus_arguments_SOURCES = src/daemon/bus/test-bus-arguments.c
src_daemon_bus_test_bus_arguments_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/bus/test-bus-options
src_daemon_bus_test_bus_options_SOURCES = src/daemon/bus/test-bus-options.c src/model/test-bus.c src/model/test-bus.h
src_daemon_bus_test_bus_options_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-volume-run
src_daemon_control_test_volume_run_SOURCES = src/daemon/control/test-volume-run.c $(VOLUME_TEST)
src_daemon_control_test_volume_run_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += src/daemon/control/test-manager-turn
src_daemon_control_test_manager_turn_SOURCES = src/daemon/control/test-manager-turn.c $(VOLUME_TEST)
src_daemon_control_test_manager_turn_LDADD = $(DAEMON_LIBS) $(CMOCKA_LIBS)
