/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
/*
 * What `recrypt-worker serve` offers to the manager: one object on a peer-to-peer connection.
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
 * [--threads=N] [--key-timeout=SECONDS] [--key-memory-max=BYTES] [--key-cost-max=STEPS] [--debug]
 * [--quiet] DEVICE: starts at once and finds DEVICE with the first call. It ends with exit code 0
 * after Quit(), SIGTERM, SIGINT, or when nobody has the other end of the control socket any more;
 * each time a running conversion is stopped first, with a clean header and the stack dissolved.
 * The end of a connection stops nothing. With --quiet it logs nothing until SetIdentity().
 *
 * Methods of SERVICE_INTERFACE on SERVICE_PATH. Those marked * are jobs: one at a time (else
 * Busy), the reply says that it was accepted, and the signal Done says how it ended. Sizes and
 * offsets are bytes, times microseconds.
 *
 *   Inspect() -> a{sv}
 *	A look at the header and the live table, without keys. While a job runs: that job's
 *	look, with the position as it is now. UUID s, Device s, HeaderDevice s (as Device without
 *	a detached header), Name s ("": offline), Reencryption s (none, clean, hot, finish), Mode
 *	s (reencrypt, encrypt, decrypt; "" with none, as the next two), Direction s (forward,
 *	backward), Resilience s, ResilienceHash s, OldCipher s, NewCipher s, OldSectorSize u,
 *	NewSectorSize u, NewKeySize u (0: no keyslot tells), KeepKey b, NewPbkdf s and NewPbkdfHash
 *	s (of all keyslots of the new key; "" where they differ or the key stays), BytesTotal t, BytesDone t, HotzoneOffset t, HotzoneSize t, Stacked b (helpers of a worker
 *	that died are there), Keyslots au, Tokens a{us} (number, type), Record s ("": none), Disks
 *	as (sysfs names of the disks at the bottom, sorted), Supported b (false: only cryptsetup
 *	can go on with it). RecordTrust s: none, unverified (no volume key is known yet), verified,
 *	untrusted (no MAC, or a wrong one, luks/record-mac.h). Sequence t: the header's sequence
 *	number. OldSide s, NewSide s: fingerprints of digest, cipher and sector size of both sides;
 *	with none that of the volume, and "". And the numbers of SetIdentity().
 *   Unlock(h secret, a{sv} options) *
 *	Reads a pipe or memfd to its end, for 30 s and 8 MiB at most.
 *	Type s (passphrase, the default; or volume-key), Keyslot i (try only this one). Kept until
 *	Lock(), when it opens anything. Done: OpenedKeyslots au (none by a volume key).
 *   UseProvider(a{sv} options) *
 *	Provider s: key-file (Path s, Offset t, Size t), credential (Name s, looked for in the
 *	worker's $CREDENTIALS_DIRECTORY), keyring (Description s, a "user" key), token (Token i,
 *	any by default); Path, Name and Description that are not valid text are ay; Keyslot i; Timeout t (30 s by default). What it gives is kept as by
 *	Unlock(), and no token is asked again by the jobs to come.
 *   Adopt(h old, h new) *
 *	The volume keys of KeysAvailable. HeaderConflict when the header knows them no more.
 *   Lock() -> ()
 *	Forgets passphrases and keys. A job that derives keys is stopped first (Cancelled); Busy
 *	while one converts.
 *   Check(a{sv} options) *
 *	What Prepare() with these options would do, with what is unlocked; nothing is written.
 *	Done: NewCipher s and NewSectorSize u as they would be, OldKeySize u, NewKeySize u (bytes),
 *	KeptKeyslots au, LostKeyslots au (all six only where it comes to a plan), EstimatedTime t
 *	(0: not known), Obstacle s ("" or the text of the refusal), ObstacleName s. An obstacle is
 *	no error of the job.
 *   Prepare(a{sv} options) *
 *	New key, its keyslots, and the commit that begins. The options are the rows of
 *	model/settings.c that are of the worker. KeyslotsLost when a keyslot cannot be carried over,
 *	unless LoseKeyslots agrees; HeaderConflict when OldSide is not Side; InvalidArgument when
 *	cipher, key size or PBKDF would be weaker than now, unless MayWeaken says that a person
 *	chose them. Those of Convert() are to see whether it could. Done: OldKeySize, NewKeySize,
 *	KeptKeyslots, LostKeyslots.
 *   Undo(a{sv} options) *
 *	Takes back what Prepare() did; InvalidArgument when a part is converted already.
 *   Convert(a{sv} options) *
 *	Recovers when hot, and converts to the end or a stop. The options are the rows of
 *	model/settings.c that are of a run, as for Undo(), Recover() and Reverse(). HeaderConflict
 *	when the header has a lower sequence number than LeastSequence. Done: Outcome s (finished,
 *	stopped).
 *   Recover(a{sv} options) *
 *	Makes a hot header clean, and settles what a dead worker left.
 *   Reverse(a{sv} options) *
 *	Turns around; Convert() then leads back. With nothing converted it does nothing: Undo()
 *	does. Accepted during Convert(), which is stopped first: Done comes for both.
 *   Stop() -> ()
 *	Ends Convert() at the next hotzone boundary, and any job at once that asks a provider or
 *	derives a key (Cancelled).
 *   SetLimits(t rate, t hotzone_max, t stall_target) -> ()
 *	Bytes/s, bytes, and microseconds that I/O may wait for a hotzone; 0: none, the default, and
 *	none. At any time, at work within a second.
 *   SetGovernor(s mode, t rate_min, t rate_max, t latency_target) -> ()
 *	none, idle or latency (io/governor.h); bytes/s, bytes/s (0: none), microseconds. At any
 *	time. Its rate and the limit both hold. Offline it does nothing.
 *   SetIdentity(a{sv}) -> ()
 *	The volume that all later jobs, looks and records are for: UUID s, DeviceNumber t and
 *	DeviceInode t (a file: st_dev and st_ino; a block device: st_rdev and 0), HeaderNumber t and
 *	HeaderInode t. What is left out may be any. From then on another volume or device is
 *	refused with HeaderConflict (errno EREMCHG) at each opening. A worker without this method
 *	checks nothing.
 *   SetRecord(s json) -> ()
 *	Replaces our token in the header; "" removes it. At any time; the reply comes when it is
 *	durable. "type" and "keyslots" are added, and a MAC with each volume key that is known.
 *   GetStatus() -> a{sv}
 *	Job s ("none", or as in Done), Version s, Unlocked b (all keys that Convert() needs are at
 *	hand), Passphrases u, RateLimit t, HotzoneMax t, StallTarget t, of the last Convert() the rows
 *	of model/settings.c that are of the status, and the fields of Progress.
 *   Quit() -> ()
 *
 * Signals:
 *   Progress(a{sv})
 *	BytesDone t, BytesTotal t, HotzoneOffset t, HotzoneSize t, Rate t (bytes/s since the last
 *	one), LongestStall t, StallPercentile999 t, LongestSuspend t (of this run, microseconds),
 *	UnavoidableStall t (microseconds; 0: the stall target is within reach),
 *	GovernorRate t (0: no limit by it) and GovernorReason s ("": there is nothing to govern). During
 *	Convert(), at most every 500 ms and when something changed.
 *   Done(s job, i error, s name, s message, a{sv} result)
 *	@job: inspect, unlock, use-provider, adopt, check, prepare, undo, convert, recover or
 *	reverse. @error: 0 or a negative errno, @name the last part of an error name below ("" with
 *	0), @message the text that the command line shows. @result: the fields of Inspect() as they
 *	are now (as far as the volume can be read), and those of the job.
 *   KeysAvailable(h old, h new)
 *	Memfds with the volume keys of a re-encryption, whenever a job gets them; for the fd
 *	store, and for Adopt(). Twice the same key where it is kept. While there is no connection
 *	they wait for the next one.
 *
 * Errors: SERVICE_ERROR_PREFIX and service_error_name(); those of Inspect() and SetRecord() have the
 * negative errno as a second argument i.
 */
/* clang-format on */
#pragma once

#include <systemd/sd-bus.h>

#define SERVICE_PATH         "/org/recryptd1/worker"
#define SERVICE_INTERFACE    "org.recryptd1.Worker"
#define SERVICE_ERROR_PREFIX "org.recryptd1.Error."

/*
 * The name for a negative errno: InvalidArgument (EINVAL), NotSupported (ENOTSUP, ETXTBSY, ENOPKG),
 * Busy (EBUSY, ENOTUNIQ), RotationInProgress (EINPROGRESS), NoRotation (ENOMSG), AlreadyReversing
 * (EALREADY), Locked (ENOKEY), KeyRejected (EPERM), KeyslotsLost (EDQUOT), NotFound (ENODEV,
 * ENOENT, ENOTBLK), HeaderConflict (ESTALE, EREMCHG), Tampered (EKEYREJECTED), TimedOut (ETIMEDOUT,
 * ETIME), Cancelled (ECANCELED, EINTR), CostTooHigh (E2BIG), NoSpace (ENOSPC), NoMemory (ENOMEM),
 * IOError (EIO and what else a disk says), Failed (all else).
 */
const char *service_error_name(int error);

/*
 * The manager's side: sends the worker one end of a new connection through @control_fd and returns
 * the other as a started bus, not yet attached to an event loop. Does not block. -EPIPE: the worker
 * is gone.
 */
int service_connect(int control_fd, sd_bus **ret);
