# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += src/proto/libproto.a
src_proto_libproto_a_SOURCES = \
	src/proto/fd-packet.c src/proto/fd-packet.h \
	src/proto/service-client.c src/proto/service-bus.h
