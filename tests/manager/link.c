/* SPDX-License-Identifier: GPL-3.0-or-later */
/* daemon/workers/worker-link.h over workers that are data. */
#include "world.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/text.h"

/* Control sockets are numbers that are no descriptors. */
#define CONTROL_FD 10000

/* In the place of one that has died and is forgotten, or behind all. */
static struct worker *worker_new(struct disk *d)
{
	struct worker *w;
	unsigned i = 0;

	while (i < world.n_workers && (world.worker[i].alive || world.worker[i].link))
		i++;
	assert(i < WORKERS_MAX);
	w = &world.worker[i];
	if (i == world.n_workers)
		world.n_workers++;
	else
		worker_clear(w);
	*w = (struct worker){.number = i, .disk = d, .manager = world.managers, .alive = true};
	return w;
}

static struct worker_link *connect_to(struct worker *w, const struct worker_handler *handler,
				      void *userdata)
{
	struct worker_link *l = calloc(1, sizeof(*l));

	assert(l && !w->link);
	*l = (struct worker_link){
		.worker = w, .handler = handler, .userdata = userdata, .next = world.links};
	world.links = l;
	w->link = l;
	worker_push_kept_keys(w);
	return l;
}

int worker_link_spawn(sd_event *event, const struct worker_spec *spec,
		      const struct worker_handler *handler, void *userdata,
		      struct worker_link **ret)
{
	(void)event;
	for (unsigned i = 0; i < world.n_disks; i++)
		if (strcmp(world.disk[i].path, spec->device) == 0) {
			*ret = connect_to(worker_new(&world.disk[i]), handler, userdata);
			return 0;
		}
	return -ENOENT;
}

int worker_link_adopt(sd_event *event, int control_fd, const struct worker_handler *handler,
		      void *userdata, struct worker_link **ret)
{
	struct worker *w = &world.worker[control_fd - CONTROL_FD];

	(void)event;
	if (!w->alive)
		return -EPIPE;
	/* What the connection before it still had is lost. */
	for (unsigned i = 0; i < w->n_inbox; i++)
		free(w->inbox[i].text);
	w->n_inbox = w->record_calls = 0;
	*ret = connect_to(w, handler, userdata);
	return 0;
}

int worker_link_control_fd(const struct worker_link *l)
{
	return CONTROL_FD + (int)l->worker->number;
}

int worker_link_kill(struct worker_link *l, int *ret_pidfd)
{
	worker_die(l->worker);
	*ret_pidfd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	return 0;
}

/* Unless its socket is in the fd store the worker finds that the manager has hung up. */
struct worker_link *worker_link_free(struct worker_link *l)
{
	if (!l)
		return NULL;
	for (struct worker_link **p = &world.links; *p; p = &(*p)->next)
		if (*p == l) {
			*p = l->next;
			break;
		}
	l->worker->link = NULL;
	for (unsigned i = 0; i < l->worker->n_outbox; i++)
		message_clear(MESSAGE_LOOK, &l->worker->outbox[i].end.look);
	l->worker->n_outbox = l->worker->record_calls = 0;
	if (!store_has_worker(l->worker))
		l->worker->quit = l->worker->stop = true;
	free(l);
	return NULL;
}

void worker_link_set_handler(struct worker_link *l, const struct worker_handler *handler,
			     void *userdata)
{
	l->handler = handler;
	l->userdata = userdata;
}

/* --- calls --- */

/* What is sent to a worker that has died is lost; its death is heard of later. */
static int send_call(struct worker_link *l, struct call call)
{
	struct worker *w = l->worker;

	if (!w->alive) {
		free(call.text);
		return 0;
	}
	assert(w->n_inbox < QUEUE_MAX);
	w->inbox[w->n_inbox++] = call;
	return 0;
}

static int send_job(struct worker_link *l, struct call call)
{
	call.kind = CALL_JOB;
	l->expected[call.job] = true;
	return send_call(l, call);
}

static int send_simple(struct worker_link *l, enum worker_call call)
{
	return send_call(l, (struct call){.kind = CALL_SIMPLE, .call = call});
}

int worker_link_inspect(struct worker_link *l)
{
	return send_job(l, (struct call){.job = WORKER_INSPECT});
}

/* The keyslot says whether the secret is the right one. */
int worker_link_unlock(struct worker_link *l, int fd, const struct unlock_options *options)
{
	(void)fd;
	return send_job(l, (struct call){.job = WORKER_UNLOCK,
					 .wrong = options->keyslot == WRONG_KEYSLOT,
					 .opens = options->keyslot < 0
							  ? UINT32_MAX
							  : UINT32_C(1) << options->keyslot});
}

int worker_link_use_provider(struct worker_link *l, const struct provider *provider)
{
	assert(provider->kind != PROVIDER_NONE);
	return send_job(l, (struct call){.job = WORKER_USE_PROVIDER, .opens = 1});
}

int worker_link_adopt_keys(struct worker_link *l, int old_fd, int new_fd)
{
	struct call call = {.job = WORKER_ADOPT};

	(void)new_fd;
	assert(pread(old_fd, call.side, sizeof(call.side), 0) == sizeof(call.side));
	return send_job(l, call);
}

int worker_link_check(struct worker_link *l, const struct rotate_options *options,
		      const struct run_options *run)
{
	(void)options;
	(void)run;
	return send_job(l, (struct call){.job = WORKER_CHECK});
}

int worker_link_prepare(struct worker_link *l, const struct rotate_options *options,
			const struct run_options *run)
{
	return send_job(
		l,
		(struct call){.job = WORKER_PREPARE, .run = *run, .loses = options->lose_keyslots});
}

int worker_link_run(struct worker_link *l, enum worker_job job, const struct run_options *options)
{
	return send_job(l, (struct call){.job = job, .run = *options});
}

void worker_link_expect(struct worker_link *l, enum worker_job job)
{
	l->expected[job] = true;
}

int worker_link_get_status(struct worker_link *l)
{
	return send_call(l, (struct call){.kind = CALL_STATUS});
}

int worker_link_lock(struct worker_link *l)
{
	return send_simple(l, WORKER_CALL_LOCK);
}

int worker_link_stop(struct worker_link *l)
{
	return send_simple(l, WORKER_CALL_STOP);
}

int worker_link_set_limits(struct worker_link *l, const struct worker_limits *limits)
{
	(void)limits;
	return send_simple(l, WORKER_CALL_SET_LIMITS);
}

int worker_link_set_governor(struct worker_link *l, const struct governor_config *governor)
{
	(void)governor;
	return send_simple(l, WORKER_CALL_SET_GOVERNOR);
}

int worker_link_set_record(struct worker_link *l, const char *json)
{
	char *text = strdup(json);

	assert(text);
	return send_call(
		l,
		(struct call){.kind = CALL_SIMPLE, .call = WORKER_CALL_SET_RECORD, .text = text});
}

int worker_link_set_identity(struct worker_link *l, const struct identity *identity)
{
	assert(strcmp(identity->uuid, l->worker->disk->uuid) == 0);
	return send_simple(l, WORKER_CALL_SET_IDENTITY);
}

void worker_link_retire(struct worker_link *l)
{
	(void)send_simple(l, WORKER_CALL_QUIT);
	l->retired = true;
}

void worker_link_free_retired(void)
{
	for (struct worker_link *l = world.links, *next; l; l = next) {
		next = l->next;
		if (l->retired)
			(void)worker_link_free(l);
	}
}

/* --- what the manager hears --- */

static void hear_keys(struct worker_link *l, const char *side)
{
	const int fd = memfd_create("key", MFD_CLOEXEC);

	assert(fd >= 0 && pwrite(fd, side, 33, 0) == 33);
	l->handler->keys(l->userdata, fd, fd);
	(void)close(fd);
}

static void hear(struct worker_link *l, struct message *m)
{
	switch (m->kind) {
	case SAID_ENDED:
		if (l->expected[m->end.job]) {
			l->expected[m->end.job] = false;
			l->handler->ended(l->userdata, &m->end);
		}
		break;
	case SAID_REPLIED:
		if (l->handler->replied)
			l->handler->replied(l->userdata, m->call, m->error, &m->failure);
		break;
	case SAID_STATUS:
		l->handler->status(l->userdata, 0, &m->status);
		break;
	case SAID_PROGRESS:
		if (l->handler->progress)
			l->handler->progress(l->userdata, &m->progress);
		break;
	case SAID_KEYS:
		if (l->handler->keys)
			hear_keys(l, m->side);
		break;
	}
}

bool link_can_hear(const struct worker_link *l)
{
	return l->worker->n_outbox > 0;
}

void link_hear(struct worker_link *l)
{
	struct worker *w = l->worker;
	struct message m = w->outbox[0];

	memmove(w->outbox, w->outbox + 1, --w->n_outbox * sizeof(m));
	if (!l->retired)
		hear(l, &m);
	message_clear(MESSAGE_LOOK, &m.end.look);
}

bool link_can_hear_death(const struct worker_link *l)
{
	return !l->worker->alive && !l->heard;
}

void link_hear_death(struct worker_link *l)
{
	l->heard = true;
	if (l->retired)
		(void)worker_link_free(l);
	else
		l->handler->died(l->userdata);
}
