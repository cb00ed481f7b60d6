# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += src/proto/libproto.a
src_proto_libproto_a_SOURCES = \
	src/proto/error-name.c src/proto/error-name.h \
	src/proto/recryptd-errors.h \
	src/proto/fd-packet.c src/proto/fd-packet.h \
	src/proto/messages.c src/proto/messages.h \
	src/proto/service-client.c src/proto/service-bus.h
# For programs that call the service.
recryptdincludedir = $(includedir)/recryptd
recryptdinclude_HEADERS = src/proto/recryptd-errors.h
# Of luks/ the names of states only.
PROTO_LIBS = src/proto/libproto.a src/model/libmodel.a src/luks/libluks.a src/util/libutil.a \
	$(JSONC_LIBS) $(LIBSYSTEMD_LIBS)

UNIT_TESTS += src/proto/test-error-name src/proto/test-messages
src_proto_test_error_name_SOURCES = src/proto/test-error-name.c
src_proto_test_error_name_LDADD = $(PROTO_LIBS) $(CMOCKA_LIBS)
src_proto_test_messages_SOURCES = src/proto/test-messages.c $(TEST_BUS)
src_proto_test_messages_LDADD = $(PROTO_LIBS) $(CMOCKA_LIBS)
