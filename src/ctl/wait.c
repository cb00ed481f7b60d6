/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *     job of the caller   alive: its state decides
 *                         gone, as after a restart of the daemon: the volumes decide
 *     volume              idle: its last rotation, where that ended during the wait
 *                         failed: over; locked, suspended, absent: a person has to do something
 *
 * A volume whose rotation could not begin is idle again, and only its job tells why: nothing was
 * written, so that has the exit code of a call that is refused.
 */
#include "ctl/wait.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/volume-view.h"
#include "ctl/watch.h"
#include "model/state-reason.h"
#include "util/checked.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/log.h"
#include "util/text.h"

#define SECOND    UINT64_C(1000000)
#define PATH_SIZE 128 /* of the bus: more than the daemon's paths have */

/*
 * A daemon that knew the volume has forgotten it for good after so long; one that was started anew
 * may have to look at slow disks first. After AWAY_USEC the user is told.
 */
#define GONE_USEC  SECOND
#define AWAY_USEC  (10 * SECOND)
#define AGAIN_USEC (60 * SECOND)

/* At most one look at several volumes in this time. */
#define PAUSE_USEC UINT64_C(250000)

struct awaited {
	const char *path;
	char *name;                 /* as it was last */
	char last_job[PATH_SIZE];   /* the one that the volume had last, "": none */
	char last_state[PATH_SIZE]; /* as the user was told of it */
	bool looked, told, told_gone, over;
	int result;
	uint64_t last_end; /* when the last rotation ended, as of the first look; 0: none had */
	bool cancel;       /* a rotation is to be taken back */
	uint64_t missing;  /* since when it is not known; 0: it is */
	bool restarted;    /* the daemon has gone meanwhile */
};

struct wait {
	struct client *client;
	const struct wait_for *what;
	const char *job;   /* NULL: there is none, or it is lost */
	uint64_t created;  /* the job */
	bool cancel, away; /* no daemon runs */
	struct awaited *volumes;
	size_t n;
};

/* --- what a person has to do --- */

struct attention {
	const char *state;
	int error;
	char *(*text)(json_object *volume, const char *name);
};

static char *text_of_locked(json_object *volume, const char *name)
{
	const char *reason = json_text(volume, "StateReason");
	char *text = NULL;

	if (json_number(volume, "Unlocked")) { /* the reason says which keyslots are missing */
		(void)asprintf(&text, "%s: %s", name, reason);
		return text;
	}
	if (strncmp(reason, STATE_REASON_KEY, strlen(STATE_REASON_KEY)) == 0)
		reason += strlen(STATE_REASON_KEY);
	if (strcmp(json_text(volume, "StateReason"), STATE_REASON_NO_KEY) == 0)
		reason = "";
	(void)asprintf(&text, "%s: waits for a key: recryptctl unlock %s%s%s%s", name, name,
		       *reason ? " (" : "", reason, *reason ? ")" : "");
	return text;
}

static char *text_of_suspended(json_object *volume, const char *name)
{
	const char *reason = json_text(volume, "StateReason");
	char *text = NULL;

	(void)asprintf(&text, "%s: suspended%s%s%s: recryptctl resume %s", name,
		       *reason ? " (" : "", reason, *reason ? ")" : "", name);
	return text;
}

static char *text_of_absent(json_object *volume, const char *name)
{
	const char *reason = json_text(volume, "StateReason");
	char *text = NULL;

	(void)asprintf(&text, "%s: absent%s%s; waits until its disk is connected", name,
		       *reason ? ": " : "", reason);
	return text;
}

static const struct attention attentions[] = {
	{"locked", -ERROR_WAIT_LOCKED, text_of_locked},
	{"suspended", -ERROR_WAIT_SUSPENDED, text_of_suspended},
	{"absent", -ERROR_WAIT_GONE, text_of_absent},
};

static bool waits_for_window(json_object *volume)
{
	return strcmp(json_text(volume, "State"), "suspended") == 0 &&
	       strncmp(json_text(volume, "StateReason"), STATE_REASON_WINDOW,
		       strlen(STATE_REASON_WINDOW)) == 0;
}

static const struct attention *attention_of(json_object *volume)
{
	if (waits_for_window(volume))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(attentions); i++)
		if (strcmp(attentions[i].state, json_text(volume, "State")) == 0)
			return &attentions[i];
	return NULL;
}

static char *text_of_window(json_object *volume, const char *name)
{
	char *text = NULL;

	(void)asprintf(&text, "%s: %s; not to wait: recryptctl resume --now %s", name,
		       json_text(volume, "StateReason"), name);
	return text;
}

/* For another one, and not for the moment that it takes to be let go. */
static bool waits_for_turn(json_object *volume)
{
	return strcmp(json_text(volume, "State"), "queued") == 0 &&
	       strncmp(json_text(volume, "StateReason"), STATE_REASON_TURN,
		       strlen(STATE_REASON_TURN)) == 0;
}

char *wait_text(json_object *volume)
{
	const struct attention *a = attention_of(volume);
	_cleanup_free_ char *name = view_name(volume);
	char *text = NULL;

	if (!name)
		return NULL;
	if (waits_for_turn(volume)) {
		(void)asprintf(&text, "%s: %s", name, json_text(volume, "StateReason"));
		return text;
	}
	if (waits_for_window(volume))
		return text_of_window(volume, name);
	return a ? a->text(volume, name) : NULL;
}

/* Once for each state; the reason of a queue may come a moment later. */
static void tell_waiting(struct awaited *a, json_object *volume)
{
	_cleanup_free_ char *text = NULL;

	if (strcmp(json_text(volume, "State"), a->last_state) != 0)
		a->told = false;
	(void)text_copy(a->last_state, sizeof(a->last_state), json_text(volume, "State"));
	text = a->told ? NULL : wait_text(volume);
	if (!text)
		return;
	a->told = true;
	log_notice("%s", text);
}

/* --- how it ended --- */

static json_object *last_rotation(json_object *volume)
{
	json_object *last;

	return json_object_object_get_ex(volume, "LastRotation", &last) ? last : NULL;
}

static uint64_t last_end(json_object *volume)
{
	json_object *last = last_rotation(volume);

	return last ? json_number(last, "EndTime") : 0;
}

/* 0: not over; 1: over; an error: it is over, and no success. */
static int result_of_idle(const struct awaited *a, json_object *volume)
{
	json_object *last = last_rotation(volume);
	const char *outcome = last ? json_text(last, "Outcome") : "";

	if (last_end(volume) == a->last_end)
		return 1; /* it was idle all the time, or somebody else ended the work */
	if (strcmp(outcome, "cancelled") == 0 && !a->cancel)
		return log_refusal(-ERROR_WAIT_CANCELLED, "%s: the rotation was cancelled",
				   a->name);
	if (strcmp(outcome, "finished") == 0 && a->cancel)
		return log_refusal(-ERROR_NO_ROTATION,
				   "%s: the rotation was finished before it could be cancelled",
				   a->name);
	if (strcmp(outcome, "failed") == 0)
		return log_refusal(-EIO, "%s: the rotation has failed: %s", a->name,
				   json_text(last, "Message"));
	return 1;
}

static int result_of_volume(const struct awaited *a, json_object *volume)
{
	const char *state = json_text(volume, "State");

	if (strcmp(state, "idle") == 0)
		return result_of_idle(a, volume);
	if (strcmp(state, "failed") != 0)
		return 0;
	return log_refusal(-ERROR_WAIT_FAILED, "%s: %s", a->name, json_text(volume, "StateReason"));
}

static int result_of_job(json_object *job, bool half_way)
{
	const char *state = json_text(job, "State");
	const char *message = json_text(job, "Message");

	if (strcmp(state, "done") == 0)
		return 1;
	if (strcmp(state, "cancelled") == 0)
		return log_refusal(-ERROR_WAIT_CANCELLED, "the rotation was cancelled");
	if (strcmp(state, "failed") != 0)
		return 0;
	return log_refusal(half_way ? -ERROR_WAIT_FAILED : client_errno_of(json_text(job, "Error")),
			   "%s", *message ? message : "the rotation has failed");
}

/* --- looks --- */

static json_object *properties(struct client *c, const char *path, const char *interface)
{
	json_object *o;

	return client_properties(c, path, interface, &o) == 0 ? o : NULL;
}

static void note_volume(struct wait *w, struct awaited *a, json_object *volume)
{
	const char *job = json_text(volume, "Job");
	char *name = view_name(volume);

	if (name) {
		free(a->name);
		a->name = name;
	}
	if (!a->looked)
		a->last_end = last_end(volume);
	a->cancel = w->cancel ||
		    (a->looked ? a->cancel : strcmp(json_text(volume, "State"), "reversing") == 0);
	a->looked = true;
	a->missing = 0;
	a->told_gone = a->restarted = false;
	if (!w->what->job && strlen(job) > 1)
		(void)text_copy(a->last_job, sizeof(a->last_job), job);
}

/* The job that the volume had last, where that could not begin. */
static int result_of_last_job(struct wait *w, const struct awaited *a, json_object *volume)
{
	json_object *job;
	int r = 0;

	if (!*a->last_job || strcmp(json_text(volume, "State"), "idle") != 0)
		return 0;
	job = properties(w->client, a->last_job, BUS_JOB_INTERFACE);
	if (!job)
		return 0;
	if (strcmp(json_text(job, "State"), "failed") == 0)
		r = result_of_job(job, false);
	json_object_put(job);
	return r;
}

/* A daemon that was started anew may have to look for its volumes first. */
static int look_at_missing(struct wait *w, struct awaited *a)
{
	const uint64_t now = now_usec();
	uint64_t usec;

	a->missing = a->missing ?: now;
	a->restarted = a->restarted || w->away || !a->looked;
	usec = now - a->missing;
	if (!w->away && usec >= (a->restarted ? AGAIN_USEC : GONE_USEC))
		return log_refusal(-ERROR_WAIT_GONE,
				   "%s: recryptd does not know this volume any more", a->name);
	if (usec < AWAY_USEC)
		return 0;
	if (w->away && w->what->attention)
		return log_refusal(-ERROR_WAIT_GONE, "%s: recryptd does not run", a->name);
	if (w->away && !a->told_gone) {
		log_notice("%s: recryptd does not run: systemctl start recryptd", a->name);
		a->told_gone = true;
	}
	return 0;
}

static int look_at_known(struct wait *w, struct awaited *a, json_object *volume)
{
	const struct attention *needed = attention_of(volume);
	int r;

	note_volume(w, a, volume);
	tell_waiting(a, volume);
	if (w->what->watch && a == w->volumes)
		w->what->watch(volume, w->what->userdata);
	if (needed && w->what->attention)
		return needed->error;
	if (w->job)
		return 0;
	r = result_of_last_job(w, a, volume);
	return r != 0 ? r : result_of_volume(a, volume);
}

static int look_at_volume(struct wait *w, struct awaited *a)
{
	json_object *volume;
	int r;

	w->client->log_off = true;
	volume = properties(w->client, a->path, BUS_VOLUME_INTERFACE);
	r = volume ? look_at_known(w, a, volume) : look_at_missing(w, a);
	w->client->log_off = false;
	json_object_put(volume);
	return r;
}

/* What could not begin is idle, or being prepared or undone for a moment still. */
static bool volume_is_half_way(const struct wait *w, json_object *volume)
{
	const char *state = json_text(volume, "State");

	return strcmp(state, "failed") == 0 || strcmp(state, "running") == 0 ||
	       strcmp(state, "finishing") == 0 || (w->cancel && strcmp(state, "reversing") == 0);
}

static bool is_half_way(struct wait *w)
{
	bool found = false;

	for (size_t i = 0; i < w->n && !found; i++) {
		json_object *v = properties(w->client, w->volumes[i].path, BUS_VOLUME_INTERFACE);

		found = v && volume_is_half_way(w, v);
		json_object_put(v);
	}
	return found;
}

/* A daemon that was started anew knows the volumes, but not the job. */
static int look_at_job(struct wait *w)
{
	json_object *job;
	uint64_t created;
	int r = 0;

	if (!w->job)
		return 0;
	w->client->log_off = true;
	job = properties(w->client, w->job, BUS_JOB_INTERFACE);
	created = job ? json_number(job, "CreateTime") : 0;
	if (!job || (w->created && w->created != created)) {
		if (job || !w->away)
			w->job = NULL;
	} else {
		w->created = created;
		w->cancel = strcmp(json_text(job, "Kind"), "cancel") == 0;
		r = result_of_job(job,
				  strcmp(json_text(job, "State"), "failed") == 0 && is_half_way(w));
	}
	w->client->log_off = false;
	json_object_put(job);
	return r;
}

/* 0: not over; 1: a success; an error. */
static int look_at_all(struct wait *w)
{
	size_t over = 0;
	int result = 1;

	for (size_t i = 0; i < w->n; i++) {
		struct awaited *a = &w->volumes[i];
		int r = a->over ? 0 : look_at_volume(w, a);

		if (r != 0) {
			a->over = true;
			a->result = r < 0 ? r : 0;
		}
		if (w->what->attention && r < 0)
			return r;
		over += a->over;
		result = result == 1 && a->result < 0 ? a->result : result;
	}
	return over == w->n && !w->job ? result : 0;
}

/* The volumes first, so that what they wait for is told also where the job ends now. */
static int look(struct wait *w)
{
	int r;

	w->away = !client_has_daemon(w->client);
	r = look_at_all(w);
	if (r != 0)
		return r;
	r = look_at_job(w);
	return r != 0 || w->job ? r : look_at_all(w);
}

/* --- the wait --- */

static int tell_timeout(const struct wait *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (!w->volumes[i].over)
			log_error("%s: not done within %u s: %s", w->volumes[i].name,
				  w->what->timeout,
				  *w->volumes[i].last_state ? w->volumes[i].last_state
							    : "not known to recryptd");
	return -ERROR_WAIT_TIMEOUT;
}

static uint64_t next_look(struct wait *w, uint64_t deadline)
{
	const uint64_t now = now_usec();
	uint64_t usec = w->away ? SECOND : UINT64_MAX;

	for (size_t i = 0; i < w->n; i++)
		if (w->volumes[i].missing && !w->volumes[i].over)
			usec = SECOND / 2;
	return deadline ? MIN(usec, deadline > now ? deadline - now : 0) : usec;
}

static int wait_for_all(struct wait *w, struct volume_watch *watch)
{
	const uint64_t deadline = w->what->timeout ? now_usec() + w->what->timeout * SECOND : 0;

	for (;;) {
		int r = look(w);

		if (r != 0)
			return r > 0 ? 0 : r;
		if (deadline && now_usec() >= deadline)
			return tell_timeout(w);
		r = watch_wait(watch, next_look(w, deadline), w->what->stop);
		if (r < 0)
			return r;
		if (w->n > 1)
			watch_pause(PAUSE_USEC);
	}
}

static int read_members(json_object *job, char ***ret)
{
	json_object *members;
	char **paths;
	size_t n = 0;

	if (json_object_object_get_ex(job, "Members", &members))
		n = json_object_array_length(members);
	paths = calloc(n + 1, sizeof(*paths));
	if (!paths)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		json_object *member = json_object_array_get_idx(members, i);

		paths[i] =
			strdup(json_object_get_string(json_object_array_get_idx(member, 0)) ?: "");
		if (!paths[i])
			return client_free_paths(paths), -ENOMEM;
	}
	*ret = paths;
	return 0;
}

/* The volumes of the job: where the daemon is started anew they tell how it ended. */
static int find_members(struct client *c, const char *job, char ***ret)
{
	json_object *o;
	int r = client_properties(c, job, BUS_JOB_INTERFACE, &o);

	if (r < 0)
		return r;
	r = read_members(o, ret);
	json_object_put(o);
	return r;
}

static void free_volumes(struct wait *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->volumes[i].name);
	free(w->volumes);
}

static int wait_for_paths(struct client *c, const struct wait_for *what, char **paths)
{
	_cleanup_(watch_close) struct volume_watch watch = {};
	struct wait w = {.client = c, .what = what, .job = what->job};
	int r = watch_start(c, &watch);

	if (r < 0)
		return r;
	while (paths[w.n])
		w.n++;
	w.volumes = calloc(w.n + 1, sizeof(*w.volumes));
	if (!w.volumes)
		return -ENOMEM;
	for (size_t i = 0; i < w.n; i++) {
		w.volumes[i].path = paths[i];
		w.volumes[i].name = strdup(paths[i]);
		r = w.volumes[i].name ? r : -ENOMEM;
	}
	client_never_start(c); /* an operator may want it to stay stopped */
	if (r >= 0)
		r = wait_for_all(&w, &watch);
	free_volumes(&w);
	return r;
}

int wait_until_over(struct client *c, const struct wait_for *what)
{
	char **members = NULL;
	int r;

	assert(what->paths || what->job);
	if (what->paths)
		return wait_for_paths(c, what, what->paths);
	r = find_members(c, what->job, &members);
	if (r < 0)
		return r;
	r = wait_for_paths(c, what, members);
	client_free_paths(members);
	return r;
}

struct wait_for wait_of(const struct options *o)
{
	return (struct wait_for){
		.attention = o->daemon.wait == WAIT_ATTENTION,
		/* Of reencrypt it is for the prompts alone, as cryptsetup has it. */
		.timeout = o->verb == VERB_REENCRYPT ? 0 : o->keys.timeout,
	};
}
