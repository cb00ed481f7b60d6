/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/bus/polkit.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/bus/bus.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/log.h"

#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

#define POLKIT_ALLOW_INTERACTION 1U /* CheckAuthorizationFlags of polkit's interface */

int ask_sender_uid(sd_bus_message *m, sd_bus_message_handler_t then, void *userdata,
		   sd_bus_slot **ret)
{
	return sd_bus_call_method_async(sd_bus_message_get_bus(m), ret, "org.freedesktop.DBus",
					"/org/freedesktop/DBus", "org.freedesktop.DBus",
					"GetConnectionUnixUser", then, userdata, "s",
					sd_bus_message_get_sender(m));
}

int read_sender_uid(sd_bus_message *answer, uint32_t *ret)
{
	if (sd_bus_message_is_method_error(answer, NULL))
		return -ESRCH;
	return sd_bus_message_read(answer, "u", ret) < 0 ? -EBADMSG : 0;
}

/* What polkit knows a question by. */
struct question_id {
	char text[32];
};

static struct question_id question_id(uint64_t question)
{
	struct question_id id;

	(void)snprintf(id.text, sizeof(id.text), "call-%" PRIu64, question);
	return id;
}

int ask_polkit(sd_bus_message *m, const char *action, const struct polkit_details *details,
	       uint64_t question, uint64_t timeout_usec, sd_bus_message_handler_t then,
	       void *userdata, sd_bus_slot **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	sd_bus *bus = sd_bus_message_get_bus(m);
	int interactive = sd_bus_message_get_allow_interactive_authorization(m);
	int r;

	assert(question > 0 && !*ret);
	if (interactive < 0)
		return interactive;
	r = sd_bus_message_new_method_call(bus, &call, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
					   "CheckAuthorization");
	if (r < 0)
		return r;
	r = sd_bus_message_append(call, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
				  sd_bus_message_get_sender(m), action, 3, "volume",
				  details->volume, "uuid", details->uuid, "device", details->device,
				  interactive ? POLKIT_ALLOW_INTERACTION : 0,
				  question_id(question).text);
	return r < 0 ? r : sd_bus_call_async(bus, ret, call, then, userdata, timeout_usec);
}

static int send_cancel(sd_bus *bus, uint64_t question)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int r;

	r = sd_bus_message_new_method_call(bus, &call, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
					   "CancelCheckAuthorization");
	if (r < 0)
		return r;
	r = sd_bus_message_append(call, "s", question_id(question).text);
	if (r < 0)
		return r;
	r = sd_bus_message_set_expect_reply(call, 0);
	return r < 0 ? r : sd_bus_send(bus, call, NULL);
}

void cancel_polkit(sd_bus_message *m, uint64_t question)
{
	int r = send_cancel(sd_bus_message_get_bus(m), question);

	if (r < 0)
		log_debug("polkit cannot be told that nobody waits: %s", error_text(r));
}

int read_polkit(sd_bus_message *answer)
{
	const sd_bus_error *e = sd_bus_message_get_error(answer);
	int authorized, challenge;

	if (sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
	    sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
		return -ENOSYS;
	if (sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY) ||
	    sd_bus_error_has_name(e, SD_BUS_ERROR_TIMEOUT))
		return -ETIMEDOUT;
	if (e)
		return -EREMOTEIO;
	if (sd_bus_message_enter_container(answer, 'r', "bba{ss}") < 0 ||
	    sd_bus_message_read(answer, "bb", &authorized, &challenge) < 0)
		return -EBADMSG;
	if (authorized)
		return 0;
	return challenge ? -ENOKEY : -EACCES;
}
