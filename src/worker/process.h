/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a process that holds keys, and I/O of a volume, has to ask of the kernel and of malloc. */
#pragma once

/* At the start: no core dump, no ptrace by the same user, and memory that was had once is kept. */
int process_protect(void);

/*
 * Keys must not get to swap. And while a range is frozen a page fault could need that very range
 * (root file system, swap), and being killed would leave its I/O waiting. For this thread and those
 * that it starts; may be called again. Logs failures.
 */
int process_stay_in_memory(void);

/*
 * The same for a process that holds keys and serves nobody's I/O: when memory runs out, the kernel
 * is to end it first. Logs failures.
 */
int process_be_expendable(void);

/*
 * Before the first range is frozen or taken over, once everything large is allocated. json-c,
 * OpenSSL and libdevmapper allocate a little for each commit and reload. From here on they get it
 * without asking the kernel, which could wait for swap on the frozen range. Logs failures.
 */
int process_reserve_memory(void);

/*
 * For when SIGTERM has come, also in its handler. The last thing that systemd does before it
 * unmounts the root file system is to send SIGTERM to all that is left, to wait, and to send
 * SIGKILL. Killed with a range frozen, we would leave the root file system (or swap) waiting for
 * us. So the SIGKILL has to pass us over, which it does with a first argument that begins with '@'
 * (systemd.io/ROOT_STORAGE_DAEMONS). Not from the start: the SIGTERM would pass us over as well,
 * and the machine go down in the middle of a hotzone instead of waiting for its end.
 */
void process_outlive_final_kill(void);
