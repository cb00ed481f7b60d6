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
