/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process that derives: which operation its job asks for, and how it answers. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "luks/derive-job.h"
#include "util/log.h"

static struct derive_channel channel;

static void send_line(int level, const char *line)
{
	(void)derive_send(&channel, DERIVE_LOG, level, line, strlen(line));
}

static int serve_job(struct derive_reader *r)
{
	struct luks_derive_policy here = {.stop_fd = -1};
	struct derive_job_head head;

	derive_get(r, &head, sizeof(head));
	if (r->error < 0)
		return r->error;
	here.limits = head.limits;
	luks_derive_set_policy(&here);
	log_set_level(head.log_level);
	log_forward(send_line);
	switch ((enum derive_operation)head.operation) {
	case DERIVE_OPEN:
		return derive_serve_open(r, &channel);
	case DERIVE_BEGIN:
		return derive_serve_begin(r, &channel);
	}
	return -EBADMSG;
}

int luks_derive_serve(const struct secret *job, int data_fd, int header_fd,
		      int (*send)(const void *data, size_t size))
{
	struct derive_reader reader = {.s = job, .data_fd = data_fd, .header_fd = header_fd};
	const char *why;
	int r;

	assert(!channel.send); /* once in a process */
	channel.send = send;
	r = serve_job(&reader);
	why = luks_derive_gave_up(r) ? luks_derive_why() : "";
	return derive_send(&channel, DERIVE_END, r, why, strlen(why));
}
