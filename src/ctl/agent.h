/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * polkit's agent for a terminal: asks a person for a password where no desktop does it. It serves
 * this process alone and ends with it.
 */
#pragma once

#include <sys/types.h>

/*
 * 0: there is nobody to be asked, or no such agent is installed; polkit then refuses by itself.
 * Otherwise its process, once polkit knows of it; for agent_stop().
 */
pid_t agent_start(void);
void agent_stop(pid_t agent);
