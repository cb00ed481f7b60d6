/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * recrypt-worker: one process, one volume. It is started by recryptd or recryptctl and does what
 * that asks for, see service.h, provider.h, derive.h and read-file.h.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "util/checked.h"
#include "util/exit-code.h"
#include "util/io.h"
#include "util/log.h"
#include "worker/derive.h"
#include "worker/provider.h"
#include "worker/read-file.h"
#include "worker/run-event.h"
#include "worker/service.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{"serve", service_main},          {PROVIDER_VERB, provider_main},
	{DERIVE_VERB, derive_main},       {READ_FILE_VERB, read_file_main},
	{RUN_EVENT_VERB, run_event_main},
};

int main(int argc, char **argv)
{
	if (open_standard_streams() < 0)
		return EXIT_FAILURE;
	for (size_t i = 0; i < ARRAY_SIZE(verbs) && argc > 1; i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return exit_code(verbs[i].run(argc - 1, argv + 1));
	log_init("recrypt-worker", LOG_NOTICE);
	return exit_code(
		log_refusal(-EINVAL, "recrypt-worker is started by recryptd and recryptctl"));
}
