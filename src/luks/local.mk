# SPDX-License-Identifier: GPL-3.0-or-later
EXTRA_DIST += \
	src/luks/header.h \
	src/luks/lock.h \
	src/luks/meta-io.h \
	src/luks/reason.h \
	src/luks/reencrypt.h \
	src/luks/status.h \
	src/luks/validate.h \
	src/luks/wipe.h
