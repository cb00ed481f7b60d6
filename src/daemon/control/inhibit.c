/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/control/inhibit.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/control/core.h"
#include "util/log.h"

#define LOGIND_NAME      "org.freedesktop.login1"
#define LOGIND_PATH      "/org/freedesktop/login1"
#define LOGIND_INTERFACE "org.freedesktop.login1.Manager"

struct inhibit {
	struct manager *manager;
	sd_bus *bus;
	sd_bus_slot *sleep, *shutdown, *call;
	int fd;      /* the lock, or -1 */
	bool asleep; /* announced and not over */
};

static void let_go(void *userdata)
{
	struct inhibit *i = userdata;

	i->call = sd_bus_slot_unref(i->call);
	if (i->fd >= 0)
		i->fd = (close(i->fd), -1);
}

static int on_lock(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct inhibit *i = userdata;
	int fd;

	(void)error;
	i->call = sd_bus_slot_unref(i->call);
	if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "h", &fd) < 0) {
		log_debug("no logind: sleep and shutdown do not wait for hotzones");
		return 0;
	}
	assert(i->fd < 0);
	i->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (i->asleep)
		let_go(i); /* it comes too late */
	else
		inhibit_work_changed(i);
	return 0;
}

/* A volume whose turn comes is at work in a moment; one that is suspended is at rest for days. */
static bool work_is_done(const struct manager *m)
{
	for (const struct volume *v = m->volumes; v; v = v->next)
		switch (v->status.state) {
		case VOLUME_QUEUED:
		case VOLUME_PREPARING:
		case VOLUME_RUNNING:
		case VOLUME_REVERSING:
		case VOLUME_FINISHING:
			return true;
		case VOLUME_IDLE:
		case VOLUME_SUSPENDED:
		case VOLUME_LOCKED:
		case VOLUME_FAILED:
		case VOLUME_ABSENT:
		case VOLUME_STATE_COUNT:
		default:
			break;
		}
	return false;
}

void inhibit_work_changed(struct inhibit *i)
{
	int r;

	if (!work_is_done(i->manager) || i->asleep) {
		if (!i->asleep)
			let_go(i);
		return;
	}
	if (i->fd >= 0 || i->call)
		return;
	r = sd_bus_call_method_async(i->bus, &i->call, LOGIND_NAME, LOGIND_PATH, LOGIND_INTERFACE,
				     "Inhibit", on_lock, i, "ssss", "sleep:shutdown", "recryptd",
				     "Volumes are being re-encrypted", "delay");
	if (r < 0)
		log_debug("sleep and shutdown do not wait for hotzones: no bus");
}

static int on_prepare(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct inhibit *i = userdata;
	int begins;

	(void)error;
	if (sd_bus_message_read(m, "b", &begins) < 0)
		return 0;
	i->asleep = begins;
	if (begins) {
		manager_pause(i->manager, let_go, i);
	} else {
		manager_unpause(i->manager);
		inhibit_work_changed(i);
	}
	return 0;
}

int inhibit_new(struct manager *m, sd_bus *bus, struct inhibit **ret)
{
	_cleanup_(inhibit_freep) struct inhibit *i = calloc(1, sizeof(*i));
	int r;

	if (!i)
		return -ENOMEM;
	i->fd = -1;
	i->manager = m;
	i->bus = sd_bus_ref(bus);
	r = sd_bus_match_signal_async(bus, &i->sleep, LOGIND_NAME, LOGIND_PATH, LOGIND_INTERFACE,
				      "PrepareForSleep", on_prepare, NULL, i);
	if (r < 0)
		return r;
	r = sd_bus_match_signal_async(bus, &i->shutdown, LOGIND_NAME, LOGIND_PATH, LOGIND_INTERFACE,
				      "PrepareForShutdown", on_prepare, NULL, i);
	if (r < 0)
		return r;
	inhibit_work_changed(i);
	*ret = TAKE_PTR(i);
	return 0;
}

struct inhibit *inhibit_free(struct inhibit *i)
{
	if (!i)
		return NULL;
	let_go(i);
	sd_bus_slot_unref(i->sleep);
	sd_bus_slot_unref(i->shutdown);
	sd_bus_unref(i->bus);
	free(i);
	return NULL;
}
