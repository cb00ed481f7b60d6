/* SPDX-License-Identifier: GPL-3.0-or-later */
/* org.freedesktop.LogControl1: the level of messages, changed while running (systemctl log-level).
 */
#pragma once

#include <systemd/sd-bus.h>

int log_control_add(sd_bus *bus);
