/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * recryptctl reencrypt by the daemon: the same order as in the foreground (passphrases, begin or go
 * on, progress, a clean stop by Ctrl-C), made of the daemon's verbs. What only the foreground can
 * do is done there.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/interrupt.h"
#include "ctl/verbs.h"
#include "ctl/volume-view.h"
#include "dm/find.h"
#include "util/checked.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/uuid.h"
#include "cli/progress.h"

const char *foreground_option(const struct options *o)
{
	const struct {
		const char *name;
		bool given;
	} options[] = {
		{"--key-timeout", o->derive.timeout != OPTION_KEY_TIMEOUT},
		{"--key-memory-max", o->derive.memory_max},
		{"--key-cost-max", o->derive.cost_max},
		{"--init-only", o->init_only},
		{"--new-volume-key-file", o->keys.new_volume_key_file},
		{"--new-volume-key-keyring", o->keys.new_volume_key_keyring},
		{"--force-no-keyslots", o->keys.no_keyslots},
		{"--new-key-size beside --key-size", o->keys.old_key_size},
		{"--token-id, --token-type or --token-only", options_choose_tokens(o)},
		{"--device-size", o->target.device_size},
		{"--hotzone-size", o->pace.hotzone_size},
		{"--stall-target", o->pace.stall_target_ms != OPTION_NOT_GIVEN},
		{"--rate", o->pace.rate},
		{"--governor", o->pace.governor},
		{"--threads", o->pace.threads},
		{"--allow-shared-files", o->target.allow_shared},
		{"--ignore-own-header", o->target.ignore_own_header},
		{"--trust-position", o->trust_position},
		/* Of Rotate(), but not of Cancel(). */
		{"--force-offline-reencrypt", o->verb == VERB_CANCEL && o->rotation.force_offline},
		/* AddVolume() needs the device. */
		{"--active-name without a device", o->verb == VERB_REENCRYPT && !o->target.device},
	};

	assert(o->verb == VERB_REENCRYPT || o->verb == VERB_CANCEL);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].given)
			return options[i].name;
	return NULL;
}

static void tell_foreground(const struct options *o, const char *option)
{
	log_notice("%s: recryptd takes no %s, so recryptctl does the work itself",
		   o->target.device ?: o->target.active_name, option);
}

bool open_for_work(const struct options *o, struct client *ret)
{
	const char *option = foreground_option(o);

	if (o->foreground || client_open(o, ret) < 0 || !client_has_daemon(ret))
		return false;
	if (option)
		tell_foreground(o, option);
	return !option;
}

static void print_progress(json_object *volume, void *userdata)
{
	struct progress *p = userdata;
	const uint64_t end = json_number(volume, "ExpectedEndTime"), now = wall_clock_usec();

	p->size = json_number(volume, "BytesTotal");
	p->rate = end > now ? json_number(volume, "Rate") : 0;
	p->left_usec = end > now ? end - now : 0;
	/* Nothing is done of a re-encryption that is not begun, or not there any more. */
	if (!p->started || *json_text(volume, "Mode"))
		progress_update(p, json_number(volume, "BytesDone"), now_usec());
}

static int check_expected_uuid(const struct options *o, const char *found)
{
	if (!o->target.uuid || uuid_equal(o->target.uuid, found))
		return 0;
	return log_refusal(-EINVAL,
			   "%s: has the UUID %.40s, and --uuid says %s; a re-encryption keeps the "
			   "UUID. Name the right volume, or give this one another UUID with: "
			   "cryptsetup luksUUID --uuid",
			   o->target.device, found, o->target.uuid);
}

/* The volume before anything is asked or done. */
struct known_volume {
	bool begun, unlocked;
	bool at_work; /* or soon */
	uint64_t generation;
};

/* Refuses what contradicts the volume. */
static int check_known(const struct options *o, json_object *volume, bool begun)
{
	int r = check_expected_uuid(o, json_text(volume, "UUID"));

	if (r < 0)
		return r;
	if (begun)
		return check_begun(o, volume, "reencrypt");
	if (!o->resume_only)
		return 0;
	return log_refusal(-EINVAL, "%s: no re-encryption is in progress", o->target.device);
}

static int inspect_volume(struct client *c, const struct options *o, const char *path,
			  struct known_volume *ret)
{
	json_object *volume;
	const char *state;
	int r = client_properties(c, path, BUS_VOLUME_INTERFACE, &volume);

	if (r < 0)
		return r;
	state = json_text(volume, "State");
	*ret = (struct known_volume){
		.begun = *json_text(volume, "Mode") != '\0',
		.unlocked = json_number(volume, "Unlocked"),
		.generation = json_number(volume, "ProtectedGeneration"),
		.at_work = strcmp(state, "suspended") != 0 && strcmp(state, "failed") != 0 &&
			   strcmp(state, "locked") != 0,
	};
	c->had_keys = ret->unlocked;
	r = check_known(o, volume, ret->begun);
	json_object_put(volume);
	return r;
}

static int begin_rotation(struct client *c, const struct options *o, const char *path,
			  char **ret_job)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	int r = call_volume(c, o, path, "Rotate", append_rotation, &reply);

	return r < 0 ? r : client_read_path(reply, ret_job);
}

static struct progress progress_of(const struct options *o)
{
	return (struct progress){
		.out = stdout,
		.device = o->target.active_name ?: o->target.device,
		.frequency = o->output.progress_frequency,
		.json = o->output.progress_json,
		.terminal = isatty(STDOUT_FILENO),
	};
}

int watch_with_progress(struct client *c, const struct options *o, char *path, const char *job,
			const volatile sig_atomic_t *stop_flag)
{
	const bool prints = o->verb == VERB_REENCRYPT || o->output.progress_json ||
			    o->output.progress_frequency;
	struct progress p = progress_of(o);
	struct wait_for w = wait_of(o);
	char *paths[] = {path, NULL};
	int r;

	w.job = job;
	w.paths = paths;
	w.watch = prints ? print_progress : NULL;
	w.userdata = &p;
	w.stop = stop_flag;
	r = wait_until_over(c, &w);
	if (r == 0 && prints)
		progress_update(&p, p.size, now_usec());
	progress_break(&p);
	return r;
}

static int suspend_volume(struct client *c, const struct options *o, const char *path)
{
	int r = client_call(c, path, BUS_VOLUME_INTERFACE, "Suspend", NULL, "sa{sv}",
			    "recryptctl reencrypt was interrupted", 0);

	if (r < 0)
		return r;
	log_notice("%s: suspended; to continue, give the same command again, or recryptctl resume",
		   o->target.device);
	return -EINTR;
}

/* What is different now. */
static void tell_done(struct client *c, const struct options *o, const char *path,
		      const struct known_volume *before)
{
	const char *device = o->target.active_name ?: o->target.device;
	json_object *v;
	uint64_t generation;

	if (client_properties(c, path, BUS_VOLUME_INTERFACE, &v) < 0)
		return;
	generation = json_number(v, "ProtectedGeneration");
	if (generation != before->generation)
		log_notice("%s: has a new volume key, generation %" PRIu64
			   "; %s, sectors of %" PRIu64 " bytes",
			   device, generation, json_text(v, "OldCipher"),
			   json_number(v, "OldSectorSize"));
	else
		log_notice("%s: has the volume key of before, generation %" PRIu64
			   "; %s, sectors of %" PRIu64 " bytes",
			   device, generation, json_text(v, "OldCipher"),
			   json_number(v, "OldSectorSize"));
	json_object_put(v);
}

/* Of a run that was given up before it began, the daemon is to keep nothing. */
static int give_up(struct client *c, const struct options *o, const char *path,
		   const struct known_volume *found, int error)
{
	c->stop = NULL;
	tell_interrupted(c, o->target.device);
	return found->begun ? error : forget_keys(c, path, error);
}

/*
 * By its device; or, where that is no file or an open mapping, by whatever name the daemon knows
 * it.
 */
static int find_or_add(struct client *c, const struct options *o, char **ret_path)
{
	char name[DM_NAME_MAX + 1];
	const char *device = o->target.device;

	if (o->target.header || o->target.active_name ||
	    (access(device, F_OK) == 0 && find_mapping_name(device, name) < 0))
		return add_volume(c, o, ret_path);
	return find_volume(c, o, device, ret_path);
}

/* Up to the moment in which the daemon begins, or continues. */
static int begin_or_resume(struct client *c, const struct options *o, const char *path,
			   const struct known_volume *found, char **ret_job)
{
	struct passphrase_source source = passphrases_of(o, o->target.device);
	struct options agreed = *o;
	int r = !found->unlocked || names_key(o) ? unlock_volume(c, o, path, &source) : 0;

	if (r >= 0 && !found->begun)
		r = carry_keyslots_over(c, o, path, &source, "--batch-mode",
					&agreed.rotation.lose_keyslots);
	if (r >= 0 && *c->stop)
		r = -EINTR;
	if (r < 0)
		return give_up(c, o, path, found, r);
	c->stop = NULL;
	r = found->begun ? call_volume(c, o, path, "Resume", append_resume, NULL)
			 : begin_rotation(c, &agreed, path, ret_job);
	return r < 0 ? give_up(c, o, path, found, r) : 0;
}

int verb_reencrypt(const struct options *o, bool *ret_done)
{
	_cleanup_(client_close) struct client c = {};
	_cleanup_free_ char *path = NULL, *job = NULL;
	const volatile sig_atomic_t *stop;
	struct known_volume found = {};
	int r;

	*ret_done = open_for_work(o, &c);
	if (!*ret_done)
		return 0;
	r = find_or_add(&c, o, &path);
	if (r < 0)
		return r;
	r = inspect_volume(&c, o, path, &found);
	if (r < 0)
		return r;
	/* Resume() has no such option; while the daemon works, it needs none. */
	if (o->rotation.force_offline && found.begun && !found.at_work) {
		tell_foreground(o, "--force-offline-reencrypt for a re-encryption in progress");
		*ret_done = false;
		return 0;
	}
	stop = c.stop = interrupt_catch();
	r = begin_or_resume(&c, o, path, &found, &job);
	if (r < 0)
		return r;
	r = watch_with_progress(&c, o, path, job, stop);
	if (r == -EINTR)
		return suspend_volume(&c, o, path);
	if (r == 0)
		tell_done(&c, o, path, &found);
	return r;
}
