/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What applications do to an open volume, and how long they wait for I/O anywhere.
 *
 *     /sys/dev/block/M:N/stat of the mapping itself: what goes through it is theirs alone, as the
 *         work goes to the disk below (Documentation/block/stat.rst of the kernel)
 *     io.pressure of the control groups at the top of the tree but our own, "some"
 *         (Documentation/accounting/psi.rst): that of the host would have our own waiting in it
 *
 * All files are opened before the work begins; a look allocates nothing.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#define LOAD_PRESSURES_MAX 8

struct load {
	int stat_fd;
	unsigned n_pressures; /* 0: the kernel does not tell, or we are in no group of our own */
	int pressure_fd[LOAD_PRESSURES_MAX];
};

#define LOAD_NONE                                                                                  \
	{                                                                                          \
		.stat_fd = -1                                                                      \
	}

/* Counters since some start; microseconds. */
struct load_figures {
	uint64_t requests;    /* reads and writes that have finished */
	uint64_t waited_usec; /* the time that each of them took, added up */
	uint64_t in_flight;   /* now */
	uint64_t pressure_usec;
};

/* Of the block device @device. -ENOENT: there is none. Without pressure files it works all the
 * same. */
int load_open(dev_t device, struct load *ret);
void load_close(struct load *l);

int load_read(const struct load *l, struct load_figures *ret);

/* Pure. -EBADMSG. */
int load_parse_stat(const char *text, struct load_figures *ret);
int load_parse_pressure(const char *text, uint64_t *ret_usec);
