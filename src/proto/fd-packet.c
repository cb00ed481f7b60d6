/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/fd-packet.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct packet {
	char byte;
	struct iovec iov;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message;
};

static void packet_init(struct packet *p)
{
	*p = (struct packet){
		.iov = {.iov_base = &p->byte, .iov_len = sizeof(p->byte)},
		.message =
			{
				.msg_iov = &p->iov,
				.msg_iovlen = 1,
				.msg_control = &p->control,
				.msg_controllen = sizeof(p->control),
			},
	};
}

int fd_packet_send(int socket, int fd)
{
	struct packet p;

	assert(fd >= 0);
	packet_init(&p);
	p.control.header.cmsg_level = SOL_SOCKET;
	p.control.header.cmsg_type = SCM_RIGHTS;
	p.control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&p.control.header), &fd, sizeof(int));
	return sendmsg(socket, &p.message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int fd_packet_receive(int socket, int *ret)
{
	const struct cmsghdr *c;
	struct packet p;
	ssize_t n;

	packet_init(&p);
	n = recvmsg(socket, &p.message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
	if (n == 0)
		return 0;
	c = CMSG_FIRSTHDR(&p.message);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EBADMSG;
	memcpy(ret, CMSG_DATA(c), sizeof(int));
	return 1;
}
