# SPDX-License-Identifier: GPL-3.0-or-later
# What the daemon needs around it. No sysusers (it runs as root), no tmpfiles (its only directory in
# /run is that of cryptsetup).
nodist_systemdsystemunit_DATA = systemd/recryptd.service
dist_systemdsystemunit_DATA = systemd/recryptd.slice
dist_systemdcatalog_DATA = systemd/recryptd.catalog
dist_dbuspolicy_DATA = systemd/org.recryptd1.conf
dist_dbussystemservices_DATA = systemd/org.recryptd1.service
dist_polkitaction_DATA = systemd/org.recryptd1.policy

systemd/recryptd.service: systemd/recryptd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && sed 's|[@]sbindir[@]|$(sbindir)|' \
		$(srcdir)/systemd/recryptd.service.in >$@.new && mv $@.new $@

# An example: the defaults are in the program.
dist_doc_DATA += systemd/recryptd.conf
EXTRA_DIST += systemd/recryptd.service.in
CLEANFILES += systemd/recryptd.service
