/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/control/discover.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-device.h>

#include "daemon/control/absent.h"
#include "daemon/control/core.h"
#include "daemon/control/crypttab.h"
#include "daemon/control/mapping.h"
#include "daemon/workers/file-reader.h"
#include "daemon/workers/probe.h"
#include "dm/find.h"
#include "dm/task.h"
#include "util/log.h"

struct discover {
	struct manager *manager;
	sd_device_monitor *monitor;
	struct file_reader *crypttab; /* NULL: it is not being read */
	bool crypttab_again;          /* and then once more */
};

static void probe_configured(struct manager *m)
{
	for (size_t i = 0; i < m->config->n_volumes; i++) {
		const struct volume_config *c = &m->config->volumes[i];

		if (c->device && !manager_present_volume(m, c->uuid))
			absent_look_at(m, c);
	}
}

static int on_crypttab_entry(const struct crypttab_entry *e, void *userdata)
{
	struct discover *d = userdata;
	const struct probe_spec spec = {
		.device = e->device, .header_device = e->header, .quiet = true};
	int r = crypttab_names_add(&d->manager->core->crypttab_names, e);

	return r < 0 ? r : probe_new(&d->manager->core->probes, &spec);
}

/* A disk of crypttab that has come. */
static void probe_named(struct discover *d)
{
	for (const struct crypttab_name *n = d->manager->core->crypttab_names.first; n;
	     n = n->next) {
		const struct probe_spec spec = {.device = n->device, .quiet = true};

		if (!*n->uuid && probe_new(&d->manager->core->probes, &spec) < 0)
			log_error("out of memory");
	}
}

static void probe_mapping(struct manager *m, const char *name, const char *uuid,
			  const struct volume_config *c)
{
	struct active_volume active;
	char device[PATH_MAX];
	const struct probe_spec spec = {
		.device = device,
		.header_device = c->header_device,
		.uuid = uuid,
		.mapping = name,
		.quiet = true,
	};

	if (find_volume_by_name(name, &active) < 0 || active.data_device == 0 ||
	    find_device_node(active.data_device, device, sizeof(device)) < 0)
		return;
	if (probe_new(&m->core->probes, &spec) < 0)
		log_error("out of memory");
}

static bool is_absent(struct manager *m, const char *uuid)
{
	return manager_volume_by_uuid(m, uuid) && !manager_present_volume(m, uuid);
}

/* An open one, of all that there are. */
static void found_mapping(struct manager *m, const char *name, const char *uuid)
{
	const struct volume_config *c = config_for_volume(m->config, uuid);

	if (!manager_present_volume(m, uuid) &&
	    mapping_decide(NULL, c, name, is_absent(m, uuid), false) == MAPPING_PROBE)
		probe_mapping(m, name, uuid, c);
}

static int look_at_mapping(const char *name, dev_t device, void *userdata)
{
	struct device_info info;
	char uuid[37];

	if (task_info_of(device, &info) == 0 && info.exists && mapping_uuid(info.uuid, uuid) == 0)
		found_mapping(userdata, name, uuid);
	return 0;
}

/* Looks at the header again, when nothing is at work that would see it anyway. */
static void look_again(struct volume *v)
{
	const struct request r = {.kind = REQUEST_LOOK, .fd = -1};

	if (v->worker.job == WORKER_NONE && request_add(v, &r) < 0)
		log_error("out of memory");
}

static void mapping_changed(struct manager *m, const char *name, const char *uuid, bool gone)
{
	const struct volume_config *c = config_for_volume(m->config, uuid);
	struct volume *v = manager_present_volume(m, uuid);

	switch (mapping_decide(v, c, name, is_absent(m, uuid), gone)) {
	case MAPPING_PROBE:
		probe_mapping(m, name, uuid, c);
		break;
	case MAPPING_REMOVE:
		volume_remove(v);
		break;
	case MAPPING_LOOK:
		look_again(v);
		break;
	case MAPPING_NOTHING:
		break;
	}
}

/* A disk was plugged in: one of the configuration, or one that was there with another number. */
static void found_volume(struct discover *d, sd_device *device)
{
	struct manager *m = d->manager;
	struct probe_spec spec = {.quiet = true};
	const struct volume *v;

	if (sd_device_get_property_value(device, "ID_FS_UUID", &spec.uuid) < 0 ||
	    sd_device_get_devname(device, &spec.device) < 0)
		return;
	v = manager_volume_by_uuid(m, spec.uuid);
	if (!v || (place_is_absent(&v->place) && *v->place.header_device)) {
		probe_configured(m);
		probe_named(d);
		return;
	}
	spec.uuid = v->uuid;
	if ((place_is_absent(&v->place) ||
	     (!*v->place.header_device && !place_is_attached(&v->place))) &&
	    probe_new(&m->core->probes, &spec) < 0)
		log_error("out of memory");
}

/* A device of the configuration has come, or a mapping has come or gone. */
static int on_device(sd_device_monitor *monitor, sd_device *device, void *userdata)
{
	struct discover *d = userdata;
	struct manager *m = d->manager;
	const char *dm_uuid, *name, *type;
	sd_device_action_t action;
	char uuid[37];

	(void)monitor;
	if (sd_device_get_action(device, &action) < 0)
		return 0;
	if (m->config->discover_active &&
	    sd_device_get_property_value(device, "DM_UUID", &dm_uuid) >= 0 &&
	    sd_device_get_property_value(device, "DM_NAME", &name) >= 0 &&
	    mapping_uuid(dm_uuid, uuid) == 0)
		mapping_changed(m, name, uuid, action == SD_DEVICE_REMOVE);
	else if (action == SD_DEVICE_ADD &&
		 sd_device_get_property_value(device, "ID_FS_TYPE", &type) >= 0 &&
		 strcmp(type, "crypto_LUKS") == 0)
		found_volume(d, device);
	return 0;
}

static int start_monitor(struct discover *d)
{
	int r;

	assert(!d->monitor);
	r = sd_device_monitor_new(&d->monitor);
	if (r < 0)
		return r;
	r = sd_device_monitor_filter_add_match_subsystem_devtype(d->monitor, "block", NULL);
	if (r < 0)
		return r;
	r = sd_device_monitor_attach_event(d->monitor, d->manager->event);
	return r < 0 ? r : sd_device_monitor_start(d->monitor, on_device, d);
}

static int listen_to_udev(struct discover *d)
{
	int r = start_monitor(d);

	return r < 0 ? log_warning_errno(r, "volumes that come and go are not noticed") : 0;
}

static void list_mappings(struct manager *m)
{
	int r = 0;

	if (m->config->discover_active)
		r = task_list(look_at_mapping, m);
	if (r < 0 && r != -EOPNOTSUPP)
		(void)log_warning_errno(r, "open mappings cannot be listed");
}

bool discover_is_reading(const struct discover *d)
{
	return d && d->crypttab;
}

void discover_mappings(struct discover *d)
{
	if (d && !d->manager->options->no_devices)
		list_mappings(d->manager);
}

static void read_crypttab(struct discover *d);

static void on_crypttab(void *userdata, const struct file_answer *a)
{
	struct discover *d = userdata;
	const bool again = d->crypttab_again;

	assert(d->crypttab);
	if (a->error < 0 && a->error != -ENOENT)
		log_warning("%s: cannot read crypttab: %s; check the file and its file system, or "
			    "CryptTab= in recryptd.conf(5), then run systemctl reload recryptd",
			    a->path, a->reason);
	if (a->error == 0 || a->error == -ENOENT)
		crypttab_names_clear(&d->manager->core->crypttab_names);
	if (a->error == 0 && crypttab_parse(a->text, a->size, on_crypttab_entry, d) < 0)
		log_error("out of memory");
	d->crypttab = file_reader_free(d->crypttab);
	turn_mark(&d->manager->core->turn, 0);
	if (again)
		read_crypttab(d);
}

/*
 * One read at a time, however often it is asked for: a file that does not answer must not gather
 * processes that wait for it. What is asked for meanwhile is done once after it, as the file, or
 * its name, may be another by then.
 */
static void read_crypttab(struct discover *d)
{
	struct manager *m = d->manager;
	const struct file_reading by = {.event = m->event,
					.stuck = &m->core->stuck,
					.timeout_usec = m->config->probe_timeout_usec};
	int r;

	d->crypttab_again = d->crypttab != NULL;
	if (d->crypttab || !m->config->discover_crypttab || m->stopping)
		return;
	r = file_reader_new(&by, m->config->crypttab, on_crypttab, d, &d->crypttab);
	if (r < 0)
		log_warning_errno(r, "%s: cannot read crypttab", m->config->crypttab);
}

int discover_new(struct manager *m, struct discover **ret)
{
	struct discover *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->manager = m;
	probe_configured(m);
	if (!m->options->no_devices) {
		(void)listen_to_udev(d); /* first, so that nothing is missed */
		list_mappings(m);
		read_crypttab(d);
	}
	*ret = d;
	return 0;
}

void discover_configured(struct discover *d)
{
	probe_configured(d->manager);
	if (!d->manager->options->no_devices)
		read_crypttab(d);
}

struct discover *discover_free(struct discover *d)
{
	if (!d)
		return NULL;
	sd_device_monitor_unref(d->monitor);
	(void)file_reader_free(d->crypttab);
	free(d);
	return NULL;
}
