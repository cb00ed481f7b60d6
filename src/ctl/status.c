/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/status.h"

#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/active.h"
#include "ctl/client.h"
#include "ctl/status-format.h"
#include "ctl/volume-view.h"
#include "io/active.h"
#include "luks/header.h"
#include "luks/look.h"
#include "luks/meta-io.h"
#include "luks/place.h"
#include "luks/status.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/path-text.h"

static int open_io(const struct found_file *f, struct meta_io **ret, uint32_t *ret_block_size)
{
	int r = luks_look_open(f, ret, ret_block_size);

	if (r < 0)
		log_error_errno(r, "%s: cannot be opened", f->path);
	return r == -ENOENT || r == -ENXIO ? -ENODEV : r;
}

/* How the volume is open, if it is. The size of the mapping may limit what is re-encrypted. */
static void look_for_mapping(struct status *s, struct active_volume *v, const struct luks_header *h,
			     const struct luks_place *place, uint64_t device_size,
			     uint32_t block_size)
{
	struct luks_status limited;
	struct active found;
	struct stat st;

	if (fstat(place->data.fd, &st) < 0 || active_find(h->uuid, &st, &found) < 0)
		return;
	if (found.n_here == 0) {
		*v = found.elsewhere[0];
		s->other_name = found.n_elsewhere > 0 ? v->name : NULL;
		return;
	}
	*v = *active_pick(&found, NULL);
	s->name = v->name;
	s->active_size = v->size;
	s->data_size = s->luks.reenc.data_size;
	s->table = active_compare(v, &s->luks, file_block_device(&place->data.identity));
	if (s->luks.reenc.state != LUKS_REENC_NONE && v->size &&
	    v->size < s->luks.reenc.data_size &&
	    luks_status_get(h, device_size, v->size, block_size, &limited, NULL) == 0)
		s->luks = limited;
}

static int log_unusable(const struct status *s, int error, const struct luks_reason *why)
{
	return log_refusal(error, "%s: %s%s%s", s->header ?: s->device,
			   error == -ENOENT            ? "not a LUKS volume"
			   : error == -EPROTONOSUPPORT ? "not LUKS2"
						       : "the LUKS2 header cannot be used",
			   *why->text ? ": " : "", why->text);
}

static int read_status(struct status *s, struct active_volume *v)
{
	_cleanup_(luks_place_clear) struct luks_place place = LUKS_PLACE_NONE;
	_cleanup_(meta_io_freep) struct meta_io *data = NULL, *meta = NULL;
	_cleanup_(luks_header_freep) struct luks_header *h = NULL;
	struct luks_reason why = {""};
	uint32_t block_size, unused;
	int r;

	r = luks_place_find(s->device, s->header, &place);
	if (r < 0)
		return r;
	r = open_io(&place.data, &data, &block_size);
	if (r < 0)
		return r;
	r = s->header ? open_io(&place.header, &meta, &unused) : 0;
	if (r < 0)
		return r;
	r = luks_look_read(meta ?: data, &h, &why);
	if (r < 0)
		return log_unusable(s, r, &why);
	r = luks_status_get(h, data->size, 0, block_size, &s->luks, &why);
	if (r < 0)
		return log_unusable(s, r, &why);
	look_for_mapping(s, v, h, &place, data->size, block_size);
	return 0;
}

static int format_json(const struct status *s, json_object *daemon, enum json_format format,
		       FILE *out)
{
	json_object *o;
	int r;

	r = status_format_json(s, &o);
	if (r < 0)
		return r;
	r = json_object_object_add(o, "daemon", json_object_get(daemon)) < 0
		    ? -ENOMEM
		    : print_json(o, format, out);
	json_object_put(o);
	return r;
}

static int find_data_device(const char *given, char *path, size_t size)
{
	char name[DM_NAME_MAX + 1];
	int r = find_mapping_name(given, name);

	return r < 0 ? r : active_data_device(name, path, size);
}

static int resolve_active(const char *given, char *path, size_t size)
{
	int r = find_data_device(given, path, size);

	return r < 0 ? log_error_errno(r, "%s: is not an open LUKS2 volume", given) : 0;
}

/* The path that a property of the daemon's volume is; the caller's to free. "": -ENOENT. */
static int path_of(json_object *daemon, const char *property, char **ret)
{
	const char *text = json_text(daemon, property);

	return *text ? path_from_text(text, ret) : -ENOENT;
}

/*
 * NAME or /dev/mapper/NAME of an open volume stands for its device; what is no path is a name that
 * the daemon knows, such as a UUID.
 */
static int resolve_device(const struct options *o, json_object *daemon, char *path, size_t size)
{
	_cleanup_free_ char *known = NULL;
	static const char directory[] = "/dev/mapper/";
	const char *given = o->target.device, *name = given;

	assert(o->target.device || o->target.active_name);
	if (o->target.active_name)
		return resolve_active(o->target.active_name, path, size);
	if (strncmp(given, directory, strlen(directory)) == 0)
		name = given + strlen(directory);
	if (!strchr(name, '/') && (name != given || access(given, F_OK) < 0) &&
	    active_data_device(name, path, size) == 0)
		return 0;
	/* What has no slash is a name first: /home is no reason not to find the volume "home". */
	if (daemon && (!strchr(given, '/') || access(given, F_OK) < 0) &&
	    path_of(daemon, "Device", &known) == 0)
		given = known;
	return (size_t)snprintf(path, size, "%s", given) < size ? 0 : -ENAMETOOLONG;
}

static int format_text(const struct status *s, json_object *daemon, FILE *out)
{
	int r = status_format_text(s, out);

	if (r < 0)
		return r;
	r = daemon ? view_work(daemon, s->luks.reenc.state != LUKS_REENC_NONE, out) : 0;
	if (r < 0)
		return r;
	return fflush(out) == 0 ? 0 : -errno;
}

static void note_daemon(struct status *s, json_object *daemon)
{
	const char *name = daemon ? json_text(daemon, "Name") : "";

	s->daemon_state = daemon ? json_text(daemon, "State") : NULL;
	s->daemon_name = *name ? name : daemon ? json_text(daemon, "Device") : NULL;
}

int status_print(const struct options *o, json_object *daemon, FILE *out)
{
	char device[PATH_MAX];
	struct active_volume active;
	_cleanup_free_ char *header = NULL;
	struct status s = {.device = device, .header = o->target.header};
	int r;

	note_daemon(&s, daemon);
	r = resolve_device(o, daemon, device, sizeof(device));
	if (r < 0)
		return r;
	if (daemon && !s.header && path_of(daemon, "HeaderDevice", &header) == 0)
		s.header = header;
	r = read_status(&s, &active);
	if (r < 0)
		return r;
	if (o->output.json)
		return format_json(&s, daemon, o->output.json, out);
	r = format_text(&s, daemon, out);
	return r < 0 ? log_error_errno(r, "cannot write the status to standard output") : 0;
}
