/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/program.h"

#include <errno.h>

#include "util/io.h"
#include "util/log.h"

int program_log_level(const struct options *o)
{
	return o->debug ? LOG_DEBUG : o->verbose ? LOG_INFO : LOG_NOTICE;
}

int program_start(int argc, char **argv, struct options *ret)
{
	int r = open_standard_streams();

	if (r < 0)
		return r;
	/* The worker is a part of recryptctl to whoever reads the messages. */
	log_init("recryptctl", LOG_NOTICE);
	r = options_parse(argc, argv, ret);
	if (r == 0)
		log_init("recryptctl", program_log_level(ret));
	return r;
}

int exit_code(int error)
{
	switch (error) {
	case 0:
		return 0;
	case -EPERM:
	case -ENOKEY:
		return 2;
	case -ENOMEM:
		return 3;
	case -ENODEV:
	case -ENOTBLK:
		return 4;
	case -EEXIST:
	case -EBUSY:
		return 5;
	default:
		return 1;
	}
}
