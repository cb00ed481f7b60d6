/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What becomes of a look at a device (workers/probe.h): a new volume, one that is known, here or at
 * another place, or a clone that is refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/core.h"
#include "daemon/control/discover.h"
#include "daemon/workers/duplicates.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/log.h"
#include "util/text.h"

static struct worker_spec start_worker(void *userdata, const char *uuid)
{
	const struct manager *m = userdata;

	return volume_worker_spec(config_for_volume(m->config, uuid));
}

static uint64_t timeout(void *userdata)
{
	const struct manager *m = userdata;

	return m->config->probe_timeout_usec;
}

/* What is found by itself is not looked at twice; who names a device wants it to be. */
static struct volume *find_known(void *userdata, const struct probe_spec *spec)
{
	struct manager *m = userdata;
	struct volume *v;

	/* At the path of another one there may be anything by now. */
	if (*spec->uuid)
		return manager_present_volume(m, spec->uuid);
	v = spec->done ? NULL : manager_volume_by_path(m, spec->device);
	return v && !place_is_absent(&v->place) ? v : NULL;
}

/* It may have been out of reach when its own worker looked last. */
static int look_at_known(struct volume *v, struct worker_look *look, struct failure *f)
{
	if (v->worker.link)
		return 0;
	if (volume_apply_look(v, look) < 0)
		return failure_set(f, -ENOMEM, "out of memory");
	volume_settle_record(v);
	volume_add_found_job(v);
	return 0;
}

/*
 * A volume with this UUID is known. It may be this very device, or be here now, or this is a clone.
 * A device that the caller names takes over also from another name of the same one.
 */
static int found_known(const struct probe_spec *spec, struct volume *v, struct worker_look *look,
		       struct failure *f)
{
	int r = place_check(&v->place, look, f);

	if (r < 0 && spec->quiet)
		log_warning("%s", f->text);
	if (r < 0)
		return r;
	if (place_is_at(&v->place, look) &&
	    (!spec->done || strcmp(look->device, v->place.device) == 0 ||
	     v->worker.job != WORKER_NONE))
		return look_at_known(v, look, f);
	return volume_move(v, look, f);
}

/*
 * What a person names is meant, and what is open is in use. All else was found by a name that may
 * lead to a clone by now; where the right one is known, that is looked at instead.
 */
static int check_duplicates(struct manager *m, const struct probe_found *found, struct failure *f)
{
	const struct worker_look *look = &found->end->look;
	const struct probe_spec *p = &found->spec;
	const struct volume_config *c = config_find_volume(m->config, look->uuid);
	_cleanup_free_ char *instead = NULL;
	struct probe_spec spec = {.name = p->name, .uuid = look->uuid, .quiet = p->quiet};
	int r;

	if (p->done || found->adopted || *look->name)
		return 0;
	r = duplicates_check(look, *p->header_device ? p->header_device : p->device,
			     c ? c->device_id : NULL, &instead, f);
	if (r < 0 && p->quiet)
		log_warning("%s", f->text);
	spec.device = instead;
	if (instead && !*p->header_device && probe_new(&m->core->probes, &spec) < 0)
		log_error("out of memory");
	return r;
}

/* Is the volume that was found the one that was asked for? */
static int check_found(struct manager *m, const struct probe_found *found, struct failure *f)
{
	const struct worker_end *e = found->end;
	const struct probe_spec *p = &found->spec;

	if (e->error < 0)
		return e->error;
	if (!e->look.valid)
		return failure_set(
			f, -EINVAL,
			"%s: the LUKS UUID of the volume, \"%.64s\", is not one; give it "
			"another: cryptsetup luksUUID --uuid $(uuidgen) %s",
			p->device, e->look.uuid, p->device);
	if (*p->uuid && strcmp(e->look.uuid, p->uuid) != 0) {
		absent_seen(m, p->device, &e->look);
		return failure_set(f, -ERROR_HEADER_CHANGED, "volume %s is there, and not %s",
				   e->look.uuid, p->uuid);
	}
	return check_duplicates(m, found, f);
}

/* Makes a new volume, which keeps the worker that inspected it. */
static int found_new(struct manager *m, struct probe_found *found, struct failure *f,
		     struct volume **ret)
{
	struct volume *v;
	int r = volume_new(m, &found->end->look, found->link, found->adopted, &v);

	if (r < 0)
		return failure_set(f, r, "out of memory");
	found->link = NULL;
	if (found->adopted) /* only the status makes it whole */
		volume_worker_handler.status(v, found->status_error, found->status);
	else
		volume_send_identity(v);
	*ret = v;
	return 0;
}

/* The one that was awaited, and a worker of an earlier manager is not: that has a volume. */
static int found_absent(struct manager *m, struct probe_found *found, struct volume **v,
			struct failure *f)
{
	int r;

	if (found->adopted) {
		volume_remove(*v);
		return found_new(m, found, f, v);
	}
	r = volume_come(*v, &found->end->look, found->link);
	if (r < 0) {
		volume_remove(*v);
		return failure_set(f, r, "out of memory");
	}
	found->link = NULL;
	volume_send_identity(*v);
	log_info("volume %s is found at %s", (*v)->uuid, (*v)->place.device);
	return 0;
}

static int take_found(void *userdata, struct probe_found *found, struct failure *f,
		      struct volume **ret)
{
	struct manager *m = userdata;
	struct volume *v;
	int r = check_found(m, found, f);

	if (r < 0)
		return r;
	v = manager_volume_by_uuid(m, found->end->look.uuid);
	if (v && place_is_absent(&v->place))
		r = found_absent(m, found, &v, f);
	else if (v)
		r = found_known(&found->spec, v, &found->end->look, f);
	else
		r = found_new(m, found, f, &v);
	if (r < 0)
		return r;
	mark_set(&v->mark, 0);
	*ret = v;
	return 0;
}

/* As it was given: a link of udev is right after a reboot, too. */
static void remember(struct manager *m, const struct volume *v, const struct probe_spec *spec)
{
	const char *header =
		text_or_null(*spec->header_device ? spec->header_device : v->place.header_device);

	if (config_remember(m->config, v->uuid, spec->device, header, NULL) == 0)
		saved_state_write(&m->core->saved, m->config);
	else
		log_warning("%s: will not be known after a restart", v->place.device);
}

static void probe_ended(void *userdata, const struct probe_spec *spec, struct volume *v, int error,
			const struct failure *f)
{
	if (v)
		crypttab_names_found(&((struct manager *)userdata)->core->crypttab_names,
				     spec->device, v->uuid);
	if (v && spec->remember)
		remember(userdata, v, spec);
	if (!v && !spec->done && *spec->uuid && *spec->device && error != -ERROR_SHUTTING_DOWN)
		absent_missed(userdata, spec, error, f);
	if (error < 0 && *spec->mapping && !*spec->header_device)
		log_info("%s: is open with a header that is not on %s, or is damaged (%s); to make "
			 "it "
			 "known: recryptctl add --header HEADER %s, or HeaderDevice= in "
			 "recryptd.conf",
			 spec->mapping, spec->device, f->text, spec->device);
	if (spec->done)
		spec->done(v, error, f, spec->userdata);
}

static void probes_changed(void *userdata)
{
	struct manager *m = userdata;

	turn_mark(&m->core->turn, 0);
}

const struct probe_owner found_owner = {
	.worker = start_worker,
	.timeout = timeout,
	.known = find_known,
	.found = take_found,
	.ended = probe_ended,
	.changed = probes_changed,
};
