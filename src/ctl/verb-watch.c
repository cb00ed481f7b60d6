/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recryptctl monitor and wait: what goes on, until it is over. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl/verbs.h"
#include "ctl/volume-view.h"
#include "ctl/watch.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/log.h"

#define REDRAW_USEC UINT64_C(250000) /* at most one picture in this time */
#define AWAY_USEC   UINT64_C(1000000)
#define PATH_SIZE   128 /* of the bus: more than the daemon's paths have */

/* --- wait --- */

/* 0: not over; 1: over; an errno: it has failed. */
static int job_result(json_object *job)
{
	const char *state = json_text(job, "State");
	const char *message = json_text(job, "Message");

	if (strcmp(state, "done") == 0)
		return 1;
	if (strcmp(state, "cancelled") == 0)
		return log_refusal(-ECANCELED, "the rotation was cancelled");
	if (strcmp(state, "failed") == 0)
		return log_refusal(client_errno_of(json_text(job, "Error")), "%s",
				   *message ? message : "the rotation has failed");
	return 0;
}

/* What is waited for. */
struct awaited {
	const char *path;         /* the volume, or NULL */
	const char *job;          /* whose result counts, or NULL: the volume's */
	char last_job[PATH_SIZE]; /* the one that the volume had last, "": none */
	char told[32];            /* the last state */
	bool looked;
	uint64_t last_end; /* when the last rotation ended, as of the first look; 0: none had */
	uint64_t created;  /* the job, if it was ever seen; a daemon that is started anew counts
			      again */
	bool cancel;       /* a rotation is to be taken back */
};

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

/* An idle volume tells by its last rotation how the one ended that was waited for. */
static int idle_result(const struct awaited *a, json_object *volume)
{
	json_object *last = last_rotation(volume);
	const char *outcome = last ? json_text(last, "Outcome") : "";
	_cleanup_free_ char *name = view_name(volume);

	if (last_end(volume) == a->last_end)
		return 1; /* it was idle all the time, or somebody else ended the work */
	if (strcmp(outcome, "cancelled") == 0 && !a->cancel)
		return log_refusal(-ECANCELED, "%s: the rotation was cancelled", name ?: "");
	if (strcmp(outcome, "finished") == 0 && a->cancel)
		return log_refusal(-ERROR_NO_ROTATION,
				   "%s: the rotation was finished before it could be cancelled",
				   name ?: "");
	if (strcmp(outcome, "failed") == 0)
		return log_refusal(-EIO, "%s: the rotation has failed: %s", name ?: "",
				   json_text(last, "Message"));
	return 1;
}

static int volume_result(const struct awaited *a, json_object *volume)
{
	const char *state = json_text(volume, "State");
	_cleanup_free_ char *name = NULL;

	if (strcmp(state, "idle") == 0)
		return idle_result(a, volume);
	if (strcmp(state, "failed") != 0)
		return 0;
	name = view_name(volume);
	return log_refusal(client_errno_of(json_text(volume, "StateError")), "%s: %s", name ?: "",
			   json_text(volume, "StateReason"));
}

/* Says when the work stops without being over, once. */
static void tell_state(json_object *volume, char *told, size_t size)
{
	const char *state = json_text(volume, "State"), *reason = json_text(volume, "StateReason");
	_cleanup_free_ char *name = NULL;

	if (strcmp(state, told) == 0)
		return;
	(void)snprintf(told, size, "%s", state);
	if (strcmp(state, "suspended") != 0 && strcmp(state, "locked") != 0)
		return;
	name = view_name(volume);
	if (name)
		log_notice("%s: %s%s%s", name, state, *reason ? ": " : "", reason);
}

static json_object *properties(struct client *c, const char *path, const char *interface)
{
	json_object *o;

	return path && *path && client_properties(c, path, interface, &o) == 0 ? o : NULL;
}

static void note_volume(struct awaited *a, json_object *volume)
{
	const char *job = json_text(volume, "Job");

	if (!a->looked) {
		a->last_end = last_end(volume);
		a->cancel = strcmp(json_text(volume, "State"), "reversing") == 0;
	}
	a->looked = true;
	if (!a->job && strlen(job) > 1 && strlen(job) < sizeof(a->last_job))
		(void)snprintf(a->last_job, sizeof(a->last_job), "%s", job);
}

static json_object *job_of(struct client *c, struct awaited *a)
{
	json_object *job = properties(c, a->job ?: a->last_job, BUS_JOB_INTERFACE);
	uint64_t created = job ? json_number(job, "CreateTime") : 0;

	if (!job || (a->created && a->created != created)) {
		json_object_put(job);
		return NULL;
	}
	if (!a->job)
		return job;
	a->created = created;
	a->cancel = strcmp(json_text(job, "Kind"), "cancel") == 0;
	return job;
}

/*
 * A volume whose rotation could not begin is idle again: only the job tells. After a cancel the
 * volume still goes back to the old key, so all else is told by the volume.
 */
static int result_of(const struct awaited *a, json_object *volume, json_object *job)
{
	/* A daemon that was started anew knows the volume, but not the job. */
	if (job && (a->job || strcmp(json_text(job, "State"), "failed") == 0))
		return job_result(job);
	return volume ? volume_result(a, volume) : 0;
}

/* 0: not over. A daemon that is away is no failure: it will be back. */
static int inspect_awaited(struct client *c, struct awaited *a, watch_fn watch, void *userdata)
{
	json_object *volume, *job;
	int r;

	c->log_off = true;
	volume = properties(c, a->path, BUS_VOLUME_INTERFACE);
	if (volume)
		note_volume(a, volume);
	job = job_of(c, a);
	c->log_off = false;
	if (volume) {
		tell_state(volume, a->told, sizeof(a->told));
		if (watch)
			watch(volume, userdata);
	}
	r = result_of(a, volume, job);
	json_object_put(volume);
	json_object_put(job);
	return r;
}

int watch_volume(struct client *c, const char *path, const char *job, watch_fn watch,
		 void *userdata, const volatile sig_atomic_t *stop)
{
	_cleanup_(watch_close) struct volume_watch w = {};
	struct awaited a = {.path = path, .job = job};
	int r;

	assert(path || job);
	assert(path || !watch);
	r = watch_start(c, &w);
	if (r < 0)
		return r;
	for (;;) {
		r = inspect_awaited(c, &a, watch, userdata);
		if (r != 0)
			return r > 0 ? 0 : r;
		r = watch_wait(&w, client_has_daemon(c) ? UINT64_MAX : AWAY_USEC, stop);
		if (r < 0)
			return r;
	}
}

int watch_all(struct client *c, const struct options *o)
{
	json_object *volumes;
	int result = 0, r = client_volumes(c, &volumes);

	if (r < 0)
		return r;
	for (size_t i = 0; i < json_object_array_length(volumes); i++) {
		json_object *volume = json_object_array_get_idx(volumes, i);

		if (o->daemon.group && strcmp(o->daemon.group, json_text(volume, "Group")) != 0)
			continue;
		r = watch_volume(c, json_text(volume, "Path"), NULL, NULL, NULL, NULL);
		result = result ?: r;
	}
	json_object_put(volumes);
	return result;
}

static int watch_operand(struct client *c, const struct options *o, const char *operand)
{
	_cleanup_free_ char *path = NULL;
	int r = find_volume(c, o, operand, &path);

	return r < 0 ? r : watch_volume(c, path, NULL, NULL, NULL, NULL);
}

/* All volumes, or those that are named; the first failure is the result. */
int verb_wait(const struct options *o)
{
	_cleanup_(client_close) struct client c = {};
	int result = 0, r;

	r = open_client(o, &c);
	if (r < 0)
		return r;
	for (char **operand = o->target.operands; *operand; operand++) {
		r = watch_operand(&c, o, *operand);
		result = result ?: r;
	}
	return o->target.device ? result : watch_all(&c, o);
}

/* --- monitor --- */

static unsigned terminal_columns(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 100;
}

/* Draws a line for each volume that is not idle. */
static int draw_bars(json_object *volumes, unsigned *lines, size_t *idle)
{
	const unsigned columns = terminal_columns();

	for (size_t i = 0; i < json_object_array_length(volumes); i++) {
		json_object *v = json_object_array_get_idx(volumes, i);
		int r;

		if (strcmp(json_text(v, "State"), "idle") == 0) {
			++*idle;
			continue;
		}
		r = view_bar(v, columns, stdout);
		if (r < 0)
			return r;
		++*lines;
	}
	return 0;
}

/* Draws over the last picture, of *@lines lines. */
static int draw(json_object *volumes, bool terminal, unsigned *lines)
{
	size_t idle = 0;
	int r;

	if (terminal && *lines)
		printf("\33[%uA\33[J", *lines);
	*lines = 0;
	r = draw_bars(volumes, lines, &idle);
	printf("%zu of %zu volumes are idle\n", idle, json_object_array_length(volumes));
	++*lines;
	if (r < 0)
		return r;
	return fflush(stdout) == 0 ? 0 : -errno;
}

static int show_volumes(struct client *c, const struct options *o, bool terminal, unsigned *lines)
{
	json_object *volumes;
	int r = client_volumes(c, &volumes);

	if (r < 0)
		return r;
	r = o->output.json ? print_json(volumes, o->output.json, stdout)
			   : draw(volumes, terminal, lines);
	json_object_put(volumes);
	return r;
}

int verb_monitor(const struct options *o)
{
	_cleanup_(client_close) struct client c = {};
	_cleanup_(watch_close) struct volume_watch w = {};
	bool terminal = isatty(STDOUT_FILENO);
	unsigned lines = 0;
	int r;

	r = open_client(o, &c);
	if (r < 0)
		return r;
	r = watch_start(&c, &w);
	if (r < 0)
		return r;
	for (;;) {
		uint64_t start = now_usec(), spent;

		r = show_volumes(&c, o, terminal, &lines);
		if (r < 0)
			return r;
		r = watch_wait(&w, UINT64_MAX, NULL);
		if (r < 0)
			return r;
		spent = now_usec() - start;
		if (spent < REDRAW_USEC)
			(void)usleep((useconds_t)(REDRAW_USEC - spent));
	}
}
