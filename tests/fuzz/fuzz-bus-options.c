/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The options of methods on the public bus. */
#include <string.h>

#include "daemon/bus/bus-options.h"
#include "message.h"

/* The names of all options. */
static const char *const *names(void)
{
	static const struct setting *const tables[] = {rotation_settings, choice_settings,
						       resume_settings};
	static const char *found[64];
	size_t n = 0;

	if (found[0])
		return found;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct setting *s = tables[i]; s->name; s++) {
			REQUIRE(n < sizeof(found) / sizeof(found[0]) - 1);
			found[n++] = s->name;
		}
	found[n] = "RequestId";
	return found;
}

/* What is kept in a file, and shown to everybody. */
static void require_id(const struct request_id *id)
{
	REQUIRE(memchr(id->text, '\0', sizeof(id->text)));
	for (const char *c = id->text; *c; c++)
		REQUIRE((*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
			(*c >= 'A' && *c <= 'Z') || strchr("-._:", *c));
}

static void read_rotation(sd_bus_message *m)
{
	struct rotate_options o = ROTATE_OPTIONS_NONE;
	struct request_id id;
	struct failure f = {};

	if (read_rotate_options(m, &o, &id, &f) < 0) {
		REQUIRE(memchr(f.text, '\0', sizeof(f.text)));
		return;
	}
	REQUIRE(memchr(o.cipher, '\0', sizeof(o.cipher)));
	REQUIRE(memchr(o.pbkdf_hash, '\0', sizeof(o.pbkdf_hash)));
	require_id(&id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	const unsigned which = (unsigned)fuzz_take(&in, 1) % 3;
	sd_bus_message *m = fuzz_message_new(&in, names());
	struct resume_options resume = {};
	struct run_choices cancel = {};
	struct request_id id;
	struct failure f = {};

	if (which == 0)
		read_rotation(m);
	else if (which == 1 && read_resume_options(m, &resume, &id, &f) == 0)
		require_id(&id);
	else if (which == 2 && read_cancel_options(m, &cancel, &id, &f) == 0)
		require_id(&id);
	sd_bus_message_unref(m);
	return 0;
}
