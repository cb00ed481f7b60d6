# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += src/engine/librengine.a
src_engine_librengine_a_SOURCES = \
	src/engine/batch.c src/engine/batch.h \
	src/engine/engine.c src/engine/engine.h src/engine/engine-internal.h \
	src/engine/freezer.h \
	src/engine/header-store.h \
	src/engine/memory.c \
	src/engine/plan.c src/engine/plan.h \
	src/engine/recover.c \
	src/engine/steps.c
