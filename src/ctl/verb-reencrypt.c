/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * recryptctl reencrypt by the daemon: the same order as in the foreground (passphrases, begin or go
 * on, progress, a clean stop by Ctrl-C), made of the daemon's verbs. What only the foreground can
 * do is done there.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/verbs.h"
#include "ctl/volume-view.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/uuid.h"
#include "worker/progress.h"

static volatile sig_atomic_t stop;

static void on_stop(int signal)
{
	(void)signal;
	stop = 1;
}

bool only_in_foreground(const struct options *o)
{
	return o->foreground || o->key_timeout != OPTION_KEY_TIMEOUT || o->key_memory_max ||
	       o->key_cost_max || o->init_only || o->new_volume_key_file ||
	       o->new_volume_key_keyring || o->no_keyslots || o->old_key_size ||
	       options_choose_tokens(o) || o->device_size || o->hotzone_size ||
	       o->stall_target_ms != OPTION_NOT_GIVEN || o->rate || o->governor || o->threads ||
	       o->allow_shared || o->ignore_own_header || o->trust_position;
}

static void print_progress(json_object *volume, void *userdata)
{
	struct progress *p = userdata;

	p->size = json_number(volume, "BytesTotal");
	/* Nothing is done of a re-encryption that is not begun, or not there any more. */
	if (!p->started || *json_text(volume, "Mode"))
		progress_update(p, json_number(volume, "BytesDone"), now_usec());
}

static int check_expected_uuid(const struct options *o, const char *found)
{
	if (!o->uuid || uuid_equal(o->uuid, found))
		return 0;
	return log_refusal(-EINVAL,
			   "%s: has the UUID %.40s, and --uuid says %s; a re-encryption keeps the "
			   "UUID. Name the right volume, or give this one another UUID with: "
			   "cryptsetup luksUUID --uuid",
			   o->device, found, o->uuid);
}

/* One passphrase, where the daemon has none yet. */
static int unlock(struct client *c, const struct options *o, const char *path,
		  struct passphrase_source *source)
{
	json_object *volume;
	bool unlocked;
	int r;

	r = client_properties(c, path, BUS_VOLUME_INTERFACE, &volume);
	if (r < 0)
		return r;
	r = check_expected_uuid(o, json_text(volume, "UUID"));
	unlocked = json_number(volume, "Unlocked");
	json_object_put(volume);
	return r < 0 || unlocked ? r : unlock_volume(c, o, path, source);
}

static int begin(struct client *c, const struct options *o, const char *path,
		 struct passphrase_source *source, char **ret_job)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
	struct options agreed = *o;
	const char *job;
	int r = carry_keyslots_over(c, o, path, source, &agreed.lose_keyslots);

	if (r == 0)
		r = client_new_call(c, path, BUS_VOLUME_INTERFACE, "Rotate", &call);
	if (r >= 0)
		r = append_rotation(call, &agreed);
	if (r >= 0)
		r = client_send(c, TAKE_PTR(call), &reply);
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &job);
	if (r < 0)
		return r;
	*ret_job = strdup(job);
	return *ret_job ? 0 : -ENOMEM;
}

static int resume(struct client *c, const struct options *o, const char *path)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int r = client_new_call(c, path, BUS_VOLUME_INTERFACE, "Resume", &call);

	if (r >= 0)
		r = append_resume(call, o);
	return r < 0 ? r : client_send(c, TAKE_PTR(call), NULL);
}

/* Begins, or goes on with what the header says. */
static int begin_or_resume(struct client *c, const struct options *o, const char *path,
			   struct passphrase_source *source, char **ret_job)
{
	json_object *volume;
	bool begun;
	int r;

	r = client_properties(c, path, BUS_VOLUME_INTERFACE, &volume);
	if (r < 0)
		return r;
	begun = *json_text(volume, "Mode") != '\0';
	r = begun ? check_begun(o, volume, "reencrypt") : 0;
	json_object_put(volume);
	if (r < 0)
		return r;
	if (begun)
		return resume(c, o, path);
	if (o->resume_only) {
		log_error("%s: no re-encryption is begun, so there is nothing to go on with",
			  o->device);
		return -EINVAL;
	}
	return begin(c, o, path, source, ret_job);
}

static int follow(struct client *c, const struct options *o, const char *path, const char *job)
{
	struct sigaction act = {.sa_handler = on_stop};
	struct progress p = {
		.out = stdout,
		.device = o->device,
		.frequency = o->progress_frequency,
		.json = o->progress_json,
		.terminal = isatty(STDOUT_FILENO),
	};
	int r;

	if (sigaction(SIGINT, &act, NULL) < 0 || sigaction(SIGTERM, &act, NULL) < 0)
		return -errno;
	r = watch_volume(c, path, job, print_progress, &p, &stop);
	if (r == 0)
		progress_update(&p, p.size, now_usec());
	progress_break(&p);
	if (r != -EINTR)
		return r;
	r = client_call(c, path, BUS_VOLUME_INTERFACE, "Suspend", NULL, "sa{sv}",
			"recryptctl reencrypt was interrupted", 0);
	if (r == 0)
		log_notice("%s: suspended; the same command goes on, and so does recryptctl resume",
			   o->device);
	return r < 0 ? r : -EINTR;
}

int verb_reencrypt(const struct options *o, bool *ret_done)
{
	_cleanup_(client_close) struct client c = {};
	_cleanup_free_ char *path = NULL, *job = NULL;
	struct passphrase_source source = passphrases_of(o, o->device);
	int r;

	*ret_done = false;
	if (!o->device || only_in_foreground(o) || client_open(o, &c) < 0 || !client_has_daemon(&c))
		return 0;
	*ret_done = true;
	r = add_volume(&c, o, &path);
	if (r == 0)
		r = unlock(&c, o, path, &source);
	if (r == 0)
		r = begin_or_resume(&c, o, path, &source, &job);
	return r < 0 ? r : follow(&c, o, path, job);
}
