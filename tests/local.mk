# SPDX-License-Identifier: GPL-3.0-or-later
# Whole folders: each test is one program and needs no entry here.
EXTRA_DIST += tests/vm
