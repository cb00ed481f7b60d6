/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A descriptor through a socket of packets: one packet of one byte carries one. Neither call waits.
 */
#pragma once

/* @fd stays the caller's. -EAGAIN: the socket is full; -EPIPE: nobody has the other end. */
int fd_packet_send(int socket, int fd);

/*
 * 1 with *ret, the caller's to close; 0: nobody has the other end. -EAGAIN: there is none;
 * -EBADMSG: a packet without a descriptor.
 */
int fd_packet_receive(int socket, int *ret);
