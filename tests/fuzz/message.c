/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "message.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "proto/messages.h"

#define ENTRIES_MAX 24

static sd_bus *client, *server;

void fuzz_message_buses(sd_bus **ret_client, sd_bus **ret_server)
{
	sd_id128_t id;
	int pair[2];

	if (!client) {
		REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) ==
			0);
		REQUIRE(sd_id128_randomize(&id) == 0);
		REQUIRE(sd_bus_new(&client) >= 0 && sd_bus_set_fd(client, pair[0], pair[0]) >= 0);
		REQUIRE(sd_bus_new(&server) >= 0 && sd_bus_set_fd(server, pair[1], pair[1]) >= 0);
		REQUIRE(sd_bus_set_server(server, 1, id) >= 0);
		REQUIRE(sd_bus_start(client) >= 0 && sd_bus_start(server) >= 0);
		while (sd_bus_is_ready(client) == 0 || sd_bus_is_ready(server) == 0)
			REQUIRE(sd_bus_process(client, NULL) >= 0 &&
				sd_bus_process(server, NULL) >= 0);
	}
	*ret_client = client;
	*ret_server = server;
}

/* One that sd-bus takes: others never come through a connection. */
static char *take_string(struct fuzz_input *in)
{
	const size_t sizes[] = {0, 3, 17, 40, 200, 3000};
	char *text = fuzz_take_text(in, sizes[fuzz_take(in, 1) % 6]);

	for (char *c = text; *c; c++)
		if (*c & '\x80')
			*c = '?';
	return text;
}

static int append_array(sd_bus_message *m, struct fuzz_input *in, const char *type)
{
	const unsigned n = (unsigned)fuzz_take(in, 1) % 40;
	int r = sd_bus_message_open_container(m, 'a', type);

	for (unsigned i = 0; r >= 0 && i < n; i++) {
		if (*type == 's') {
			char *text = take_string(in);

			r = sd_bus_message_append_basic(m, 's', text);
			free(text);
		} else {
			const uint64_t value = fuzz_take(in, *type == 'y' ? 1 : 4);

			r = sd_bus_message_append_basic(m, *type, &value);
		}
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_value(sd_bus_message *m, struct fuzz_input *in, const char *type)
{
	uint64_t value;
	char *text;
	int truth, r;

	switch (*type) {
	case 's':
		text = take_string(in);
		r = sd_bus_message_append_basic(m, 's', text);
		free(text);
		return r;
	case 'b':
		truth = (int)fuzz_take(in, 1) & 1;
		return sd_bus_message_append_basic(m, 'b', &truth);
	case 'a':
		return append_array(m, in, type + 1);
	case 'v':
		r = sd_bus_message_open_container(m, 'v', "u");
		value = fuzz_take(in, 4);
		if (r >= 0)
			r = sd_bus_message_append_basic(m, 'u', &value);
		return r < 0 ? r : sd_bus_message_close_container(m);
	default:
		value = fuzz_take(in, *type == 't' || *type == 'x' ? 8 : 4);
		return sd_bus_message_append_basic(m, *type, &value);
	}
}

static int append_entry(sd_bus_message *m, struct fuzz_input *in, const char *const *names)
{
	static const char *const types[] = {"s",  "s",  "b",  "u", "t", "i",
					    "as", "au", "ay", "v", "x"};
	const char *type = types[fuzz_take(in, 1) % (sizeof(types) / sizeof(types[0]))];
	size_t n = 0, chosen = (size_t)fuzz_take(in, 1);
	char *other = NULL;
	int r;

	while (names[n])
		n++;
	REQUIRE(n > 0);
	if (chosen == 255)
		other = take_string(in);
	r = sd_bus_message_open_container(m, 'e', "sv");
	if (r >= 0)
		r = sd_bus_message_append_basic(m, 's', other ?: names[chosen % n]);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', type);
	if (r >= 0)
		r = append_value(m, in, type);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	free(other);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

void fuzz_message_append(sd_bus_message *m, struct fuzz_input *in, const char *const *names)
{
	REQUIRE(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
	for (unsigned i = 0; i < ENTRIES_MAX && in->size > 0; i++)
		REQUIRE(append_entry(m, in, names) >= 0);
	REQUIRE(sd_bus_message_close_container(m) >= 0);
}

const char *const *fuzz_message_names(void)
{
	static const char *names[256];
	size_t n = 0;

	if (names[0])
		return names;
	for (const struct message_format *d = messages; d < messages + MESSAGE_COUNT; d++)
		for (size_t i = 0; d->part[i].rows; i++)
			for (const struct setting *s = d->part[i].rows; s->name; s++) {
				REQUIRE(n < sizeof(names) / sizeof(names[0]) - 1);
				names[n++] = s->name;
			}
	return names;
}

sd_bus_message *fuzz_message_new(struct fuzz_input *in, const char *const *names)
{
	sd_bus_message *m;
	sd_bus *a, *b;

	fuzz_message_buses(&a, &b);
	REQUIRE(sd_bus_message_new_method_call(a, &m, NULL, "/", "fuzz.Fuzz", "Fuzz") >= 0);
	fuzz_message_append(m, in, names);
	REQUIRE(sd_bus_message_seal(m, 1, 0) >= 0);
	REQUIRE(sd_bus_message_rewind(m, 1) >= 0);
	return m;
}
