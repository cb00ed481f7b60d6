/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/provider.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/checked.h"
#include "util/clock.h"
#include "util/log.h"
#include "worker/child.h"
#include "worker/provider-frame.h"

#define ANSWER_MAX ((size_t)9 << 20) /* bytes: a key file of 8 MiB, or some keys */
#define ARGS_MAX   7

struct command {
	const char *argv[ARGS_MAX + 1];
	const struct luks_place *place; /* handed on; NULL: not wanted */
	char number[2][24];
};

/* The command line of the process that asks. -EINVAL, which is logged: something is missing. */
static int make_command(const struct provider_question *q, struct command *c)
{
	const char *missing = NULL;

	*c = (struct command){.argv = {"recrypt-worker", PROVIDER_VERB, q->provider}};
	if (!q->provider) {
		missing = "Provider";
	} else if (strcmp(q->provider, "key-file") == 0) {
		(void)snprintf(c->number[0], sizeof(c->number[0]), "%" PRIu64, q->offset);
		(void)snprintf(c->number[1], sizeof(c->number[1]), "%" PRIu64, q->size);
		c->argv[3] = q->path;
		c->argv[4] = c->number[0];
		c->argv[5] = c->number[1];
		missing = q->path ? NULL : "Path";
	} else if (strcmp(q->provider, "credential") == 0) {
		c->argv[3] = q->name;
		missing = q->name ? NULL : "Name";
	} else if (strcmp(q->provider, "keyring") == 0) {
		c->argv[3] = q->description;
		missing = q->description ? NULL : "Description";
	} else if (strcmp(q->provider, "token") == 0) {
		assert(q->place);
		(void)snprintf(c->number[0], sizeof(c->number[0]), "%d", q->token);
		c->argv[3] = q->place->data.path;
		c->argv[4] = q->place->detached ? q->place->header.path : "";
		c->argv[5] = c->number[0];
		c->place = q->place;
	} else {
		return log_refusal(-EINVAL,
				   "\"%s\" is no key provider; there are key-file, credential, "
				   "keyring and token",
				   q->provider);
	}
	return missing ? log_refusal(-EINVAL, "a key provider needs %s", missing) : 0;
}

static int take_frame(const struct provider_frame *f, const uint8_t *data,
		      struct provider_answer *a)
{
	switch ((enum provider_frame_kind)f->kind) {
	case PROVIDER_PASSPHRASE:
		assert(a->n <= ARRAY_SIZE(a->passphrase));
		if (a->n == ARRAY_SIZE(a->passphrase))
			return -EBADMSG;
		return secret_copy(data, f->size, &a->passphrase[a->n++]);
	case PROVIDER_ERROR:
		return log_refusal(f->error < 0 ? f->error : -EBADMSG, "%.*s", (int)f->size,
				   (const char *)data);
	}
	return -EBADMSG;
}

int provider_take_answer(const struct secret *s, struct provider_answer *a)
{
	size_t at = 0;

	while (at < s->size) {
		struct provider_frame f;
		int r;

		if (s->size - at < sizeof(f))
			return -EBADMSG;
		memcpy(&f, s->data + at, sizeof(f));
		at += sizeof(f);
		if (s->size - at < f.size)
			return -EBADMSG;
		r = take_frame(&f, s->data + at, a);
		if (r < 0)
			return r;
		at += f.size;
	}
	return 0;
}

static int explain_no_answer(const struct provider_question *q, int error)
{
	if (error == -ETIMEDOUT)
		return log_refusal(error, "%s: the key provider %s did not answer in time",
				   q->device, q->provider);
	if (error == -ECANCELED)
		return log_refusal(error, "%s: the key provider %s is not waited for any more",
				   q->device, q->provider);
	return log_error_errno(error, "%s: the key provider %s gave no answer", q->device,
			       q->provider);
}

int provider_ask(const struct provider_question *q, uint64_t timeout_usec, int stop_fd,
		 struct provider_answer *ret)
{
	_cleanup_(secret_freep) struct secret *s = NULL;
	struct command command;
	uint64_t deadline;
	int r = make_command(q, &command);

	if (r < 0)
		return r;
	if (add_u64(now_usec(), timeout_usec, &deadline) < 0)
		deadline = UINT64_MAX;
	r = child_run(command.argv, NULL, command.place, stop_fd, deadline, ANSWER_MAX, &s);
	if (r < 0 || !s)
		return explain_no_answer(q, r < 0 ? r : -ENODATA);
	r = provider_take_answer(s, ret);
	return r == -EBADMSG ? explain_no_answer(q, r) : r;
}

void provider_answer_clear(struct provider_answer *a)
{
	for (unsigned i = 0; i < a->n; i++)
		secret_free(a->passphrase[i]);
	a->n = 0;
}
