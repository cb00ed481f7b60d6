#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Gives volumes a new volume key, until the data of each is under the wanted generation. It may be
killed at any time and run again: nothing is rotated twice. Exit code 0: it is so for all of them.

    rotate.py --generation 1 --key-file /run/keys/first [--key-file ...] /dev/sdb2 /srv/image.luks
"""
import argparse
import contextlib
import os
import sys
import time

import dbus  # Debian: python3-dbus

NAME = "org.recryptd1"
NO_OPTIONS = dbus.Dictionary(signature="sv")
# The service is stopped or replaced, or somebody else was faster: look again.
AGAIN = {f"org.freedesktop.DBus.Error.{e}" for e in
         ("ServiceUnknown", "NameHasNoOwner", "NoReply", "Disconnected", "UnknownObject")}
AGAIN.add(f"{NAME}.Error.RotationInProgress")


def unlock(volume, key_file):
    """The passphrase goes to the service in a descriptor, never in a message."""
    with open(key_file, "rb") as f, os.fdopen(os.memfd_create("key"), "wb") as secret:
        secret.write(f.read())
        secret.flush()
        secret.seek(0)
        volume.Unlock(dbus.types.UnixFd(secret), NO_OPTIONS, dbus_interface=f"{NAME}.Volume")


def step(bus, args, device, attempts):
    """Looks at the volume, and asks for what is missing. True: its data is under the generation."""
    manager = bus.get_object(NAME, "/org/recryptd1", introspect=False)
    path = manager.AddVolume(device, NO_OPTIONS, dbus_interface=f"{NAME}.Manager")
    volume = bus.get_object(NAME, path, introspect=False)
    has = volume.GetAll(f"{NAME}.Volume", dbus_interface="org.freedesktop.DBus.Properties")
    if has["ProtectedGeneration"] >= args.generation and has["State"] == "idle":
        return True
    if has["State"] == "failed":
        sys.exit(f"{device}: {has['StateReason']}")
    if has["State"] == "idle":
        # Ours, if the service has seen it end: it did not get there, and would not the next time.
        if device in attempts and has["LastRotation"] != attempts[device]:
            sys.exit(f"{device}: {has['LastRotation']['Outcome']}: {has['LastRotation']['Message']}")
        attempts[device] = has["LastRotation"]
    if has["State"] in ("idle", "locked"):
        for key_file in args.key_file:
            unlock(volume, key_file)
    if has["State"] == "idle":
        volume.Rotate(NO_OPTIONS, dbus_interface=f"{NAME}.Volume")
    return False


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--generation", type=int, required=True, help="that the keys are to have at least")
    p.add_argument("--key-file", action="append", required=True, help="one for each keyslot to keep")
    p.add_argument("device", nargs="+")
    args = p.parse_args()
    left, attempts = list(args.device), {}
    while left:
        for device in list(left):
            try:
                with contextlib.closing(dbus.SystemBus(private=True)) as bus:
                    if step(bus, args, device, attempts):
                        left.remove(device)
                        print(f"{device}: done", flush=True)
            except dbus.DBusException as e:
                if e.get_dbus_name() not in AGAIN:
                    sys.exit(f"{device}: {e.get_dbus_message()}")
        time.sleep(1 if left else 0)


if __name__ == "__main__":
    main()
