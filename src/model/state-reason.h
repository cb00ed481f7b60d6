/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How the reason of a volume's state (StateReason) begins where a client has to know why a volume
 * waits: for a key, which only a person or a key provider has, for a window, which opens by itself,
 * or for another volume.
 */
#pragma once

#define STATE_REASON_KEY    "a key is awaited: "
#define STATE_REASON_NO_KEY STATE_REASON_KEY "unlock the volume, or configure a key provider"
#define STATE_REASON_TURN   "waits for its turn: " /* and for whom it waits */
#define STATE_REASON_WINDOW "outside its windows; continues on "
