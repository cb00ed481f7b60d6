# SPDX-License-Identifier: GPL-3.0-or-later
EXTRA_DIST += bench/README.md bench/common.py bench/disk-flush.c bench/disk_models.py bench/disk_trace.py bench/disks \
	bench/disks_plot.py bench/foreground.py bench/latency.py bench/offline bench/online bench/plot.py \
	bench/thin

noinst_PROGRAMS = bench/crypto
bench_crypto_SOURCES = bench/crypto.c
bench_crypto_LDADD = src/crypto/librcrypto.a src/util/libutil.a $(JSONC_LIBS) $(LIBCRYPTO_LIBS) \
	$(LIBSYSTEMD_LIBS)

# The disks of bench/disks: the model has no needs; the file that behaves so needs libfuse3.
DISK_MODEL = bench/disk-model.c bench/disk-model.h
UNIT_TESTS += bench/test-disk-model
bench_test_disk_model_SOURCES = bench/test-disk-model.c $(DISK_MODEL)
bench_test_disk_model_LDADD = $(CMOCKA_LIBS) -lm

if HAVE_FUSE3
noinst_PROGRAMS += bench/disk-fuse
bench_disk_fuse_SOURCES = bench/disk-fuse.c $(DISK_MODEL)
bench_disk_fuse_CPPFLAGS = $(AM_CPPFLAGS) $(FUSE3_CFLAGS)
bench_disk_fuse_LDADD = $(FUSE3_LIBS) -lm
# A library to preload, so that flushes and writes of the file go side by side.
noinst_DATA = bench/disk-flush.so
CLEANFILES += bench/disk-flush.so
bench/disk-flush.so: bench/disk-flush.c
	$(AM_V_at)$(MKDIR_P) bench
	$(AM_V_CCLD)$(CC) $(CPPFLAGS) $(LIBURING_CFLAGS) -std=gnu17 -Wall -Wextra $(CFLAGS) -shared -fPIC \
		-o $@ $(srcdir)/bench/disk-flush.c
endif

# The worker with a freezer that has nobody to keep away: a closed volume is converted as an open one.
noinst_PROGRAMS += bench/freezing-worker
bench_freezing_worker_SOURCES = bench/freezing-worker.c $(src_worker_recrypt_worker_SOURCES)
bench_freezing_worker_LDADD = $(src_worker_recrypt_worker_LDADD)
bench_freezing_worker_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=engine_new
