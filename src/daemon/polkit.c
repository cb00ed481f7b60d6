/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/polkit.h"

#include <errno.h>

#include "daemon/bus.h"
#include "util/cleanup.h"

/* A person may have to find a password; the caller gives up earlier than this. */
#define POLKIT_TIMEOUT_USEC (UINT64_C(300) * 1000000)

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

int ask_polkit(sd_bus_message *m, const char *action, sd_bus_message_handler_t then, void *userdata,
	       sd_bus_slot **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *question = NULL;
	sd_bus *bus = sd_bus_message_get_bus(m);
	int interactive = sd_bus_message_get_allow_interactive_authorization(m);
	int r;

	if (interactive < 0)
		return interactive;
	r = sd_bus_message_new_method_call(
		bus, &question, POLKIT_NAME, "/org/freedesktop/PolicyKit1/Authority",
		"org.freedesktop.PolicyKit1.Authority", "CheckAuthorization");
	if (r >= 0)
		r = sd_bus_message_append(question, "(sa{sv})sa{ss}us", "system-bus-name", 1,
					  "name", "s", sd_bus_message_get_sender(m), action, 0,
					  interactive ? POLKIT_ALLOW_INTERACTION : 0, "");
	if (r >= 0)
		r = sd_bus_call_async(bus, ret, question, then, userdata, POLKIT_TIMEOUT_USEC);
	return r;
}

int read_polkit(sd_bus_message *answer)
{
	const sd_bus_error *e = sd_bus_message_get_error(answer);
	int authorized, challenge;

	if (sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
	    sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
		return -ENOSYS;
	if (e)
		return -EREMOTEIO;
	if (sd_bus_message_enter_container(answer, 'r', "bba{ss}") < 0 ||
	    sd_bus_message_read(answer, "bb", &authorized, &challenge) < 0)
		return -EBADMSG;
	if (authorized)
		return 0;
	return challenge ? -ENOKEY : -EACCES;
}
