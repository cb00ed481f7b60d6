# SPDX-License-Identifier: GPL-3.0-or-later
dist_man_MANS += doc/recryptctl.8 doc/recryptd.8 doc/recryptd.conf.5 doc/org.recryptd1.5
# Where generators of bindings look for it.
dist_dbusinterfaces_DATA = doc/org.recryptd1.xml
EXTRA_DIST += doc/ciphers.md doc/design.md doc/disks.svg doc/hacking.md doc/latency.svg doc/performance.md doc/stock-options.md
# Run by tests/vm/test-documents.
dist_doc_DATA += doc/tutorial.md doc/guide.md
# Run by tests/daemon/test-example.
examplesdir = $(docdir)/examples
dist_examples_SCRIPTS = doc/examples/rotate.py
