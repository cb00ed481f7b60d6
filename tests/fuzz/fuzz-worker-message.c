/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What manager and worker say to each other, with the entries of all messages. */
#include <string.h>

#include "message.h"
#include "proto/messages.h"

static void require_end(const struct worker_end *end)
{
	const struct worker_look *l = &end->look;

	REQUIRE(l->uuid && l->device && l->header_device && l->name && l->record);
	REQUIRE((unsigned)l->reencryption <= REENCRYPTION_FINISH);
	REQUIRE((unsigned)l->trust <= RECORD_UNTRUSTED);
	REQUIRE((unsigned)end->outcome <= OUTCOME_STOPPED);
	REQUIRE(memchr(l->parameters.old_cipher, '\0', sizeof(l->parameters.old_cipher)));
	REQUIRE(memchr(end->check.obstacle.text, '\0', sizeof(end->check.obstacle.text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	const enum message_kind kind = (enum message_kind)(fuzz_take(&in, 1) % MESSAGE_COUNT);
	sd_bus_message *m = fuzz_message_new(&in, fuzz_message_names());
	void *value = malloc(messages[kind].size);
	char problem[64];

	REQUIRE(value);
	if (message_read(m, kind, value, problem, sizeof(problem)) >= 0 && kind == MESSAGE_END)
		require_end(value);
	message_clear(kind, value);
	free(value);
	sd_bus_message_unref(m);
	return 0;
}
