/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a manager says to the worker: the calls go through the real methods over a real connection,
 * and the requests that they make are thrown away.
 */
#include <errno.h>

#include "message.h"
#include "proto/service-bus.h"
#include "worker/service-internal.h"

static struct control control;
static struct service service = {.control = &control, .control_fd = -1};

/* The rest of the service, which only answers. */
int service_keep_call(struct service *s, sd_bus_message *m, uint64_t record_serial)
{
	(void)s;
	(void)m;
	(void)record_serial;
	return -ENOBUFS;
}

int service_start_progress(struct service *s)
{
	(void)s;
	return 0;
}

int service_reply(sd_bus_message *call, enum message_kind kind, const void *value)
{
	(void)call;
	(void)kind;
	(void)value;
	return 0;
}

int service_reply_look(sd_bus_message *call, const struct look *l,
		       const struct control_state *state)
{
	(void)call;
	(void)l;
	(void)state;
	return 0;
}

void service_fill_status(const struct service *s, const struct control_state *state,
			 struct worker_status *ret)
{
	(void)s;
	(void)state;
	message_init(MESSAGE_STATUS, ret);
}

static const char *const methods[] = {
	"UseProvider", "Check",   "Prepare",   "Undo",        "Convert",
	"Recover",     "Reverse", "Inspect",   "SetLimits",   "SetGovernor",
	"Stop",        "Lock",    "SetRecord", "SetIdentity", "GetStatus",
};

static void append_arguments(sd_bus_message *m, struct fuzz_input *in, const char *method)
{
	char *text;

	switch (*method == 'S' ? method[3] : 0) {
	case 'L': /* SetLimits */
		REQUIRE(sd_bus_message_append(m, "ttt", fuzz_take(in, 8), fuzz_take(in, 8),
					      fuzz_take(in, 8)) >= 0);
		return;
	case 'G': /* SetGovernor */
		REQUIRE(sd_bus_message_append(m, "sttt", fuzz_take(in, 1) & 1 ? "idle" : "x",
					      fuzz_take(in, 8), fuzz_take(in, 8),
					      fuzz_take(in, 8)) >= 0);
		return;
	case 'R': /* SetRecord */
		text = fuzz_take_text(in, in->size);
		(void)sd_bus_message_append(m, "s", text);
		free(text);
		return;
	default:
		fuzz_message_append(m, in, fuzz_message_names());
	}
}

/* Requests are freed as the working thread would take them. */
static void drain(void)
{
	struct work_request *q;

	while ((q = control.requests)) {
		control.requests = q->next;
		request_free(q);
	}
	control.state.job = control.after = WORKER_NONE;
}

static void start(sd_bus *server)
{
	static bool started;

	if (started)
		return;
	started = true;
	REQUIRE(control_init(&control) == 0);
	REQUIRE(sd_bus_add_object_vtable(server, NULL, SERVICE_PATH, SERVICE_INTERFACE,
					 service_vtable, &service) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	const char *method = methods[fuzz_take(&in, 1) % (sizeof(methods) / sizeof(methods[0]))];
	sd_bus *client, *server;
	sd_bus_message *m;

	fuzz_message_buses(&client, &server);
	start(server);
	REQUIRE(sd_bus_message_new_method_call(client, &m, NULL, SERVICE_PATH, SERVICE_INTERFACE,
					       method) >= 0);
	append_arguments(m, &in, method);
	REQUIRE(sd_bus_message_set_expect_reply(m, 0) >= 0);
	REQUIRE(sd_bus_send(client, m, NULL) >= 0);
	REQUIRE(sd_bus_flush(client) >= 0);
	sd_bus_message_unref(m);
	while (sd_bus_process(server, NULL) > 0)
		drain();
	REQUIRE(sd_bus_is_open(server) > 0);
	while (sd_bus_process(client, NULL) > 0)
		;
	return 0;
}
