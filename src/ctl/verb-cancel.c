/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * recryptctl cancel by the daemon. An option that would have no effect there is refused by name, or
 * sends the work to the foreground.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/interrupt.h"
#include "ctl/verbs.h"
#include "util/log.h"
#include "util/node.h"
#include "util/path-text.h"

/* Is the header that --header names the one that the daemon uses for this volume? */
static int check_header(const struct options *o, json_object *volume)
{
	_cleanup_free_ char *header = NULL;
	const char *text = json_text(volume, "HeaderDevice");
	struct stat wanted, st;

	if (!o->target.header)
		return 0;
	if (stat(o->target.header, &wanted) < 0)
		return log_error_errno(-errno, "the header file %s: cannot be found",
				       o->target.header);
	if (*text && path_from_text(text, &header) == 0 && stat(header, &st) == 0 &&
	    node_equal(node_of(&wanted), node_of(&st)))
		return 0;
	return log_refusal(-EINVAL,
			   "%s: recryptd works with the header %s, and not with --header %s; leave "
			   "it out, or add --foreground",
			   o->target.active_name ?: o->target.device,
			   *text ? text : "on the device", o->target.header);
}

/* Are the device and --active-name one volume? */
static int check_same_volume(struct client *c, const struct options *o, const char *path)
{
	_cleanup_free_ char *other = NULL;
	int r;

	if (!o->target.active_name || !o->target.device)
		return 0;
	r = find_volume(c, o, o->target.device, &other);
	if (r < 0)
		return r;
	if (strcmp(path, other) == 0)
		return 0;
	return log_refusal(-EINVAL, "%s: the open volume %s does not lie on it", o->target.device,
			   o->target.active_name);
}

/* The daemon tells of no progress unless it is waited for. */
static int check_progress(const struct options *o)
{
	if (o->daemon.wait || (!o->output.progress_json && !o->output.progress_frequency))
		return 0;
	return log_refusal(-EINVAL,
			   "%s: recryptd goes back by itself, and no progress is printed here: add "
			   "--wait to %s, or leave it out",
			   o->target.active_name ?: o->target.device,
			   o->output.progress_json ? "--progress-json" : "--progress-frequency");
}

/* Without a re-encryption the daemon has the word. */
static int check_volume(const struct options *o, json_object *volume)
{
	int r = check_header(o, volume);

	return r < 0 || !*json_text(volume, "Mode") ? r : check_begun(o, volume, "cancel");
}

static int check_cancel(struct client *c, const struct options *o, const char *path)
{
	json_object *volume;
	int r = check_progress(o);

	if (r < 0)
		return r;
	r = check_same_volume(c, o, path);
	if (r < 0)
		return r;
	r = client_properties(c, path, BUS_VOLUME_INTERFACE, &volume);
	if (r < 0)
		return r;
	r = check_volume(o, volume);
	json_object_put(volume);
	return r;
}

static int check_remote_cancel(const struct options *o)
{
	const char *option = foreground_option(o);

	if (!o->daemon.remote || !option)
		return 0;
	return log_refusal(
		-EINVAL,
		"%s is not for the daemon, and --remote is for nothing else; try: ssh -t "
		"%s recryptctl cancel",
		option, o->daemon.remote);
}

/* With the key that is named, as unlock does. */
static int send_cancel(struct client *c, const struct options *o, const char *path,
		       sd_bus_message **ret_reply)
{
	struct passphrase_source source =
		passphrases_of(o, o->target.active_name ?: o->target.device);
	int r = check_cancel(c, o, path);

	if (r < 0)
		return r;
	c->stop = interrupt_catch();
	r = names_key(o) ? unlock_volume(c, o, path, &source) : 0;
	c->stop = NULL;
	interrupt_release();
	tell_interrupted(c, source.device);
	return r < 0 ? r : call_volume(c, o, path, "Cancel", append_resume, ret_reply);
}

static int cancel_volume(struct client *c, const struct options *o, char *path)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	const char *job;
	int r;

	r = send_cancel(c, o, path, &reply);
	if (r < 0)
		return r;
	r = sd_bus_message_read(reply, "o", &job);
	if (r < 0)
		return r;
	if (o->daemon.wait)
		return watch_with_progress(c, o, path, job, NULL);
	tell_if_it_waits(c, path);
	return 0;
}

/*
 * *ret_there is false where the foreground has to cancel: an option asks for that, or no daemon
 * runs.
 */
static int connect_to_cancel(const struct options *o, struct client *c, bool *ret_there)
{
	int r;

	*ret_there = true;
	if (o->daemon.remote) {
		r = check_remote_cancel(o);
		return r < 0 ? r : open_client(o, c);
	}
	*ret_there = open_for_work(o, c);
	return 0;
}

int verb_cancel(const struct options *o, bool *ret_done)
{
	_cleanup_(client_close) struct client c = {};
	_cleanup_free_ char *path = NULL;
	int r;

	r = connect_to_cancel(o, &c, ret_done);
	if (r < 0 || !*ret_done)
		return r;
	c.log_off = !o->daemon.remote;
	r = find_volume(&c, o, o->target.active_name ?: o->target.device, &path);
	c.log_off = false;
	if (r < 0 && !o->daemon.remote) {
		*ret_done = false; /* not one of the daemon's */
		return 0;
	}
	return r < 0 ? r : cancel_volume(&c, o, path);
}
