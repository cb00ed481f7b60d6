# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += src/model/libmodel.a
src_model_libmodel_a_SOURCES = \
	src/model/begun.c src/model/begun.h \
	src/model/bus-text.c src/model/bus-text.h \
	src/model/failure.h \
	src/model/foreground.h \
	src/model/json-members.c src/model/json-members.h \
	src/model/least-rate.c src/model/least-rate.h \
	src/model/properties.c src/model/properties.h \
	src/model/rotation.h \
	src/model/rotation-check.c src/model/rotation-check.h \
	src/model/run-switches.c src/model/run-switches.h \
	src/model/settings.c src/model/settings.h \
	src/model/settings-bus.c src/model/settings-bus.h \
	src/model/settings-json.c src/model/settings-json.h \
	src/model/state-reason.h \
	src/model/worker-job.c src/model/worker-job.h

UNIT_TESTS += src/model/test-settings
TEST_BUS = src/model/test-bus.c src/model/test-bus.h
src_model_test_settings_SOURCES = src/model/test-settings.c $(TEST_BUS) src/model/test-text.c src/model/test-text.h
src_model_test_settings_LDADD = src/model/libmodel.a src/util/libutil.a \
	$(JSONC_LIBS) $(LIBSYSTEMD_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += src/model/test-properties
src_model_test_properties_SOURCES = src/model/test-properties.c src/model/test-text.c src/model/test-text.h
src_model_test_properties_LDADD = src/model/libmodel.a src/util/libutil.a $(CMOCKA_LIBS)
