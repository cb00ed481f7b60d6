/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A verifying writer: overwrites records of a file or device at random places, fsyncs each one,
 * then says "ACK n"; between the writes it reads a record back from the disk and compares.
 *
 *     slot 0            slot 1            ...      a record is 4 KiB; version v of a slot goes
 *     | even v | odd v | even v | odd v |          to place v % 2, so a write that was cut
 *                                                  never harms the version acknowledged before
 *
 * Which slot the n-th record goes to, and each byte of it, follow from the seed: --verify needs
 * only the seed and the n of the last acknowledgement to say what must be there.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/checked.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/io.h"
#include "util/log.h"

#define RECORD_SIZE 4096U

struct record {
	uint64_t magic;
	uint64_t seed;
	uint64_t slot;
	uint64_t version;
	uint64_t payload[RECORD_SIZE / 8 - 4];
};
_Static_assert(sizeof(struct record) == RECORD_SIZE, "a record is one block");
#define RECORD_MAGIC UINT64_C(0x7265637279707431)

struct options {
	const char *path;
	const char *marks_path;
	uint64_t seed;
	uint64_t slots;
	uint64_t records;
	uint64_t seconds;
	uint64_t acked;
	uint64_t pause; /* milliseconds between records */
	bool verify;
	bool quiet;
};

struct writer {
	struct options opt;
	int fd;
	int marks_fd;
	uint64_t *versions; /* of each slot, the last one acknowledged */
	struct record *record;
	struct record *expected;
	uint64_t longest_write; /* microseconds */
	uint64_t longest_read;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

/* splitmix64: a good 64-bit mix of (@seed, @n), so that record n needs no state. */
static uint64_t mix(uint64_t seed, uint64_t n)
{
	uint64_t z = seed + n * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void make_record(const struct options *opt, uint64_t slot, uint64_t version,
			struct record *r)
{
	uint64_t seed = mix(mix(opt->seed, slot), version);

	*r = (struct record){
		.magic = RECORD_MAGIC, .seed = opt->seed, .slot = slot, .version = version};
	for (size_t i = 0; i < ARRAY_SIZE(r->payload); i++)
		r->payload[i] = mix(seed, i);
}

static uint64_t place_of(uint64_t slot, uint64_t version)
{
	return (slot * 2 + version % 2) * RECORD_SIZE;
}

static int write_record(struct writer *w, uint64_t slot, uint64_t version)
{
	uint64_t begin = now_usec();
	int r;

	make_record(&w->opt, slot, version, w->record);
	r = pwrite_full(w->fd, w->record, RECORD_SIZE, place_of(slot, version));
	if (r < 0)
		return log_error_errno(r, "%s: cannot write at offset %" PRIu64, w->opt.path,
				       place_of(slot, version));
	if (fsync(w->fd) < 0)
		return log_error_errno(-errno, "%s: fsync", w->opt.path);
	w->longest_write = MAX(w->longest_write, now_usec() - begin);
	return 0;
}

/* Tells the disk itself what was acknowledged, so that a recorded log of its writes shows it. */
static int write_mark(struct writer *w, uint64_t n)
{
	if (w->marks_fd < 0)
		return 0;
	memset(w->record, 0, RECORD_SIZE);
	(void)snprintf((char *)w->record, RECORD_SIZE, "ACKED %" PRIu64 "\n", n);
	return pwrite_full(w->marks_fd, w->record, RECORD_SIZE, 0);
}

/* The newest version of @slot that is whole, in *@ret; -ENODATA where there is none. */
static int newest_version(struct writer *w, uint64_t slot, uint64_t *ret)
{
	bool found = false;
	uint64_t newest = 0;
	int r;

	for (uint64_t place = 0; place < 2; place++) {
		uint64_t begin = now_usec();

		r = pread_full(w->fd, w->record, RECORD_SIZE, place_of(slot, place));
		if (r < 0)
			return log_error_errno(r, "%s: cannot read at offset %" PRIu64, w->opt.path,
					       place_of(slot, place));
		w->longest_read = MAX(w->longest_read, now_usec() - begin);
		make_record(&w->opt, slot, w->record->version, w->expected);
		if (w->record->version % 2 != place ||
		    memcmp(w->record, w->expected, RECORD_SIZE) != 0)
			continue;
		newest = found ? MAX(newest, w->record->version) : w->record->version;
		found = true;
	}
	if (!found)
		return -ENODATA;
	*ret = newest;
	return 0;
}

/* @exact: nothing newer may be there either. */
static int check_slot(struct writer *w, uint64_t slot, bool exact)
{
	uint64_t version = 0;
	int r;

	r = newest_version(w, slot, &version);
	if (r == -ENODATA) {
		log_error("%s: BAD slot %" PRIu64 " at offset %" PRIu64
			  ": no whole record, version %" PRIu64 " was acknowledged",
			  w->opt.path, slot, place_of(slot, 0), w->versions[slot]);
		return -EILSEQ;
	}
	if (r < 0)
		return r;
	if (version < w->versions[slot] || (exact && version != w->versions[slot])) {
		log_error("%s: BAD slot %" PRIu64 " at offset %" PRIu64 ": version %" PRIu64
			  " is there, %" PRIu64 " was acknowledged",
			  w->opt.path, slot, place_of(slot, 0), version, w->versions[slot]);
		return -EILSEQ;
	}
	return 0;
}

static int check_all(struct writer *w, bool exact)
{
	int r, bad = 0;

	for (uint64_t slot = 0; slot < w->opt.slots; slot++) {
		r = check_slot(w, slot, exact);
		if (r == -EILSEQ)
			bad = r;
		else if (r < 0)
			return r;
	}
	return bad;
}

/* Version 0 of every slot, so that whatever is read later can be judged. */
static int prepare(struct writer *w)
{
	for (uint64_t slot = 0; slot < w->opt.slots; slot++)
		for (uint64_t place = 0; place < 2; place++) {
			int r;

			make_record(&w->opt, slot, 0, w->record);
			r = pwrite_full(w->fd, w->record, RECORD_SIZE, place_of(slot, place));
			if (r < 0)
				return log_error_errno(r, "%s: cannot prepare", w->opt.path);
		}
	if (fsync(w->fd) < 0)
		return log_error_errno(-errno, "%s: fsync", w->opt.path);
	return 0;
}

static int write_and_check(struct writer *w)
{
	uint64_t end = w->opt.seconds ? now_usec() + w->opt.seconds * 1000000 : UINT64_MAX;
	uint64_t n = 0;
	int r;

	r = prepare(w);
	if (r < 0)
		return r;
	(void)printf("READY seed=%" PRIu64 " slots=%" PRIu64 "\n", w->opt.seed, w->opt.slots);
	while (!stop && now_usec() < end && (!w->opt.records || n < w->opt.records)) {
		uint64_t slot = mix(w->opt.seed, n + 1) % w->opt.slots;

		r = write_record(w, slot, w->versions[slot] + 1);
		if (r < 0)
			return r;
		w->versions[slot]++;
		n++;
		r = write_mark(w, n);
		if (r < 0)
			return log_error_errno(r, "%s: cannot write a mark", w->opt.marks_path);
		if (!w->opt.quiet)
			(void)printf("ACK %" PRIu64 "\n", n);
		r = check_slot(w, mix(~w->opt.seed, n) % w->opt.slots, true);
		if (r < 0)
			return r;
		/* SIGTERM ends it. */
		if (w->opt.pause && !stop)
			(void)poll(NULL, 0, (int)MIN(w->opt.pause, UINT64_C(60000)));
	}
	r = check_all(w, true);
	if (r < 0)
		return r;
	(void)printf("DONE records=%" PRIu64 " longest_write_ms=%" PRIu64
		     " longest_read_ms=%" PRIu64 "\n",
		     n, w->longest_write / 1000, w->longest_read / 1000);
	return 0;
}

static int verify(struct writer *w)
{
	int r;

	for (uint64_t n = 1; n <= w->opt.acked; n++)
		w->versions[mix(w->opt.seed, n) % w->opt.slots]++;
	r = check_all(w, false);
	if (r < 0)
		return r;
	(void)printf("VERIFIED acked=%" PRIu64 "\n", w->opt.acked);
	return 0;
}

static int run(struct writer *w)
{
	int flags = w->opt.verify ? O_RDONLY : O_RDWR | O_CREAT;
	_cleanup_free_ struct record *record = aligned_alloc(RECORD_SIZE, RECORD_SIZE);
	_cleanup_free_ struct record *expected = aligned_alloc(RECORD_SIZE, RECORD_SIZE);
	_cleanup_free_ uint64_t *versions = calloc(w->opt.slots, sizeof(*versions));
	_cleanup_close_ int fd = open(w->opt.path, flags | O_DIRECT | O_CLOEXEC, 0600);
	_cleanup_close_ int marks_fd = -1;

	if (!record || !expected || !versions)
		return log_error_errno(-ENOMEM, "no memory");
	/* A tmpfs has no direct I/O. */
	if (fd < 0 && errno == EINVAL)
		fd = open(w->opt.path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		return log_error_errno(-errno, "%s: cannot open", w->opt.path);
	if (w->opt.marks_path) {
		marks_fd = open(w->opt.marks_path, O_WRONLY | O_DIRECT | O_CLOEXEC);
		if (marks_fd < 0)
			return log_error_errno(-errno, "%s: cannot open", w->opt.marks_path);
	}
	w->fd = fd;
	w->marks_fd = marks_fd;
	w->record = record;
	w->expected = expected;
	w->versions = versions;
	return w->opt.verify ? verify(w) : write_and_check(w);
}

static int parse_number(const char *text, uint64_t *ret)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-')
		return log_error_errno(-EINVAL, "not a number: %s", text);
	*ret = v;
	return 0;
}

static const char usage[] =
	"usage: writer [--seed N] [--slots N] [--records N] [--seconds N] [--marks DEVICE] "
	"[--pause MS] [--quiet] FILE\n"
	"       writer --verify --acked N [--seed N] [--slots N] FILE\n"
	"Writes until SIGTERM, the number of records or the time; FILE takes 8 KiB a slot.\n";

static int parse(int argc, char **argv, struct options *opt)
{
	static const struct option longs[] = {{"seed", required_argument, NULL, 's'},
					      {"slots", required_argument, NULL, 'l'},
					      {"records", required_argument, NULL, 'r'},
					      {"seconds", required_argument, NULL, 't'},
					      {"acked", required_argument, NULL, 'a'},
					      {"marks", required_argument, NULL, 'm'},
					      {"pause", required_argument, NULL, 'p'},
					      {"verify", no_argument, NULL, 'v'},
					      {"quiet", no_argument, NULL, 'q'},
					      {NULL, 0, NULL, 0}};
	uint64_t *number;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		number = NULL;
		switch (c) {
		case 's':
			number = &opt->seed;
			break;
		case 'l':
			number = &opt->slots;
			break;
		case 'r':
			number = &opt->records;
			break;
		case 't':
			number = &opt->seconds;
			break;
		case 'a':
			number = &opt->acked;
			break;
		case 'm':
			opt->marks_path = optarg;
			break;
		case 'p':
			number = &opt->pause;
			break;
		case 'v':
			opt->verify = true;
			break;
		case 'q':
			opt->quiet = true;
			break;
		default:
			return -EINVAL;
		}
		if (number && parse_number(optarg, number) < 0)
			return -EINVAL;
	}
	if (optind != argc - 1 || opt->slots == 0 || opt->slots > UINT32_MAX)
		return -EINVAL;
	opt->path = argv[optind];
	return 0;
}

int main(int argc, char **argv)
{
	struct writer w = {.opt = {.seed = 1, .slots = 256}};
	struct sigaction action = {.sa_handler = on_signal};

	log_init("writer", LOG_INFO);
	if (parse(argc, argv, &w.opt) < 0) {
		(void)fputs(usage, stderr);
		return 2;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (sigaction(SIGTERM, &action, NULL) < 0 || sigaction(SIGINT, &action, NULL) < 0) {
		log_error_errno(-errno, "sigaction");
		return 1;
	}
	return run(&w) < 0 ? 1 : 0;
}
