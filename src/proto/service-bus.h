/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
/*
 * What `recrypt-worker serve` offers to the manager, or to recryptctl for a run in the foreground: one
 * object on a peer-to-peer connection.
 *
 *     manager                                             worker
 *     control socket (SOCK_SEQPACKET), kept  <=========>  --control-fd
 *        one packet with one descriptor: the worker's end of a new connection
 *     sd_bus (client)                        <=========>  sd_bus (server)
 *
 * The control socket says that there is a manager at all, and lives in its fd store; a connection
 * is of one manager process only. service_connect() makes one; a new one replaces the last.
 *
 * recrypt-worker serve --control-fd=N [--header=FILE] [--active-name=NAME] [--device-size=BYTES]
 * [--threads=N] [--key-timeout=SECONDS] [--key-memory-max=BYTES] [--key-cost-max=STEPS]
 * [--foreground] [--verbose] [--debug] [--quiet] [DEVICE]: starts at once and finds DEVICE with the first call. It ends with exit code 0
 * after Quit(), SIGTERM, SIGINT, or when nobody has the other end of the control socket any more;
 * each time a running conversion is stopped first, with a clean header and the stack dissolved.
 * The end of a connection stops nothing. With --quiet it logs nothing until SetIdentity().
 *
 * With --foreground it is the worker of recryptctl. RunInForeground() is then its only job, and its
 * exit code is that of the job; the end of the connection stops it, since nobody else will come.
 *
 * Methods of SERVICE_INTERFACE on SERVICE_PATH. Those marked * are jobs: one at a time (else
 * Busy), the reply says that it was accepted, and the signal Done says how it ended. Each a{sv} is
 * one of the messages of messages.h: the structs there say what is in it, messages.c has the names.
 * Sizes and offsets are bytes, times microseconds.
 *
 *   Inspect() -> a{sv}
 *	A look at the header and the live table, without keys: MESSAGE_LOOK. While a job runs: that
 *	job's look, with the position as it is now.
 *   Unlock(h secret, a{sv} options) *
 *	Reads a pipe or memfd to its end, for 30 s and 8 MiB at most: MESSAGE_UNLOCK. Kept until
 *	Lock(), when it opens anything. Done: the keyslots that it opened (none by a volume key).
 *   UseProvider(a{sv} options) *
 *	MESSAGE_PROVIDER: key-file (Path, Offset, Size), credential (Name, looked for in the
 *	worker's $CREDENTIALS_DIRECTORY), keyring (Description, a "user" key), token (Token, any
 *	by default); Path, Name and Description that are not valid text are ay; Timeout: 30 s by
 *	default. What it gives is kept as by Unlock(), and no token is asked again by the jobs to
 *	come.
 *   Adopt(h old, h new) *
 *	The volume keys of KeysAvailable. HeaderConflict when the header knows them no more.
 *   Lock() -> ()
 *	Forgets passphrases and keys. A job that derives keys is stopped first (Cancelled); Busy
 *	while one converts.
 *   Check(a{sv} options) *
 *	What Prepare() with these options would do, with what is unlocked; nothing is written.
 *	Done: the plan, and a look at the volume as it would be (both only where it comes to a plan),
 *	and what stands in the way, with the text and the name of the refusal. An obstacle is no error
 *	of the job.
 *   Prepare(a{sv} options) *
 *	New key, its keyslots, and the commit that begins: MESSAGE_PREPARE. KeyslotsLost when a
 *	keyslot cannot be carried over, unless LoseKeyslots agrees; HeaderConflict when OldSide is not
 *	Side; InvalidArgument when cipher, key size or PBKDF would be weaker than now, unless
 *	MayWeaken says that a person chose them. Those of Convert() are to see whether it could. Done:
 *	the plan.
 *   Undo(a{sv} options) *
 *	Takes back what Prepare() did; InvalidArgument when a part is converted already.
 *   Convert(a{sv} options) *
 *	Recovers when hot, and converts to the end or a stop: MESSAGE_RUN, as for Undo(), Recover()
 *	and Reverse(). HeaderConflict when the header has a lower sequence number than LeastSequence.
 *	Done: whether it finished or was stopped.
 *   Recover(a{sv} options) *
 *	Makes a hot header clean, and settles what a dead worker left.
 *   Reverse(a{sv} options) *
 *	Turns around; Convert() then leads back. With nothing converted it does nothing: Undo()
 *	does. Accepted during Convert(), which is stopped first: Done comes for both.
 *   RunInForeground(a{sv} options) *
 *	MESSAGE_FOREGROUND: reencrypt, recover or cancel, with a person who answers. Of a worker with
 *	--foreground alone. Messages go to the log; Done has the error only.
 *   Answer(a{sv} answer, ah secret) -> ()
 *	MESSAGE_ANSWER, with at most one secret (secret_to_fd()). One to another question than the
 *	last is dropped.
 *   Stop() -> ()
 *	Ends Convert() at the next hotzone boundary, and any job at once that asks a provider or
 *	derives a key (Cancelled).
 *   SetLimits(t rate, t hotzone_max, t stall_target) -> ()
 *	Bytes/s, bytes, and microseconds that I/O may wait for a hotzone; 0: none, the default, and
 *	none. At any time, at work within a second.
 *   SetGovernor(s mode, t rate_min, t rate_max, t latency_target) -> ()
 *	none, idle or latency (pace/governor.h); bytes/s, bytes/s (0: none), microseconds. At any
 *	time. Its rate and the limit both hold. Offline it does nothing.
 *   SetIdentity(a{sv}) -> ()
 *	The volume that all later jobs, looks and records are for: MESSAGE_IDENTITY. What is left out
 *	may be any. From then on another volume or device is refused with HeaderConflict (errno
 *	EREMCHG) at each opening. A worker without this method checks nothing.
 *   SetRecord(s json) -> ()
 *	Replaces our token in the header; "" removes it. At any time; the reply comes when it is
 *	durable. "type" and "keyslots" are added, and a MAC with each volume key that is known.
 *   GetStatus() -> a{sv}
 *	MESSAGE_STATUS
 *   Quit() -> ()
 *
 * Signals:
 *   Progress(a{sv})
 *	MESSAGE_PROGRESS, during Convert(), at most every 500 ms and when something changed.
 *   Question(a{sv})
 *	MESSAGE_QUESTION, during RunInForeground(): the job waits for Answer(). A stop ends the wait.
 *   Done(s job, i error, s name, s message, a{sv} result)
 *	@job: one of worker_job_names. @error: 0 or the error_sent() of it, @name the last part of an
 *	error name below ("" with 0), @message the text that the command line shows. @result: MESSAGE_END,
 *	the look as it is now (as far as the volume can be read), and what the job has to say.
 *   KeysAvailable(h old, h new)
 *	Memfds with the volume keys of a re-encryption, whenever a job gets them; for the fd
 *	store, and for Adopt(). Twice the same key where it is kept. While there is no connection
 *	they wait for the next one, and there for the first call.
 *
 * Errors: SERVICE_ERROR_PREFIX and error_name(); those of Inspect() and SetRecord() have the
 * number as a second argument i, as Done has it.
 */
/* clang-format on */
#pragma once

#include <systemd/sd-bus.h>

#include "proto/error-name.h"
#include "proto/recryptd-errors.h"

#define SERVICE_PATH         "/org/recryptd1/worker"
#define SERVICE_INTERFACE    "org.recryptd1.Worker"
#define SERVICE_ERROR_PREFIX RECRYPTD_ERROR_PREFIX

/*
 * The manager's side: sends the worker one end of a new connection through @control_fd and returns
 * the other as a started bus, not yet attached to an event loop. Does not block. -EPIPE: the worker
 * is gone.
 */
int service_connect(int control_fd, sd_bus **ret);
