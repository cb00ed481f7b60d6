# SPDX-License-Identifier: GPL-3.0-or-later
"""
What the hostile-input tests share: texts of every kind, an agent that never answers, and what must
hold whatever was sent. Headers are forged with luks2.forge() of the offline tests.
"""
import os
import re
import struct
import subprocess
import threading

from bus import MANAGER, NAME, PATH, check
from wire import CALL, Client, pad, text

NOBODY_UID = 65534

# Bytes that are no text, or that a terminal would obey. None has a zero, a slash or a new line.
LATIN_1 = b"B\xfcro Ger\xe4t"
CUT = "Bü".encode()[:-1]
SURROGATE = b"\xed\xa0\x80"
OVERLONG = b"\xc0\xaf\xe0\x80\xaf"
NONCHARACTER = b"\xef\xbf\xbe\xef\xb7\x90"
ESCAPES = b"\x1b[2J\x1b]0;owned\x07\x7f\xc2\x9b31m\x9b"
BIDI = "\u202egpj.\u2066exe\u200f".encode()
TEXTS = (LATIN_1, CUT, SURROGATE, OVERLONG, NONCHARACTER, ESCAPES, BIDI)

# Characters that a terminal obeys, in UTF-8; a new line ends a line of ours.
OBEYED = {*range(0x20), 0x7f, *range(0x80, 0xa0), 0x61c, 0x200e, 0x200f, *range(0x2028, 0x202f),
          *range(0x2066, 0x206a)} - {ord("\n")}


def check_harmless(output, what):
    """@output, bytes that go to a terminal, is UTF-8 and moves no cursor."""
    try:
        shown = output.decode()
    except UnicodeDecodeError as e:
        check(False, f"{what}: {e}: {output!r}")
    bad = sorted({c for c in shown if ord(c) in OBEYED})
    check(not bad, f"{what}: {bad} in {output!r}")


def bus_name(daemon):
    """The connection that the daemon has to the bus: another one means that it lost the first."""
    return daemon.call("/org/freedesktop/DBus", "org.freedesktop.DBus", "GetNameOwner", "s", NAME,
                       to="org.freedesktop.DBus")[0]


def alive(daemon):
    """It answers."""
    daemon.call(PATH, MANAGER, "ListVolumes", "a{sv}", 0)


def resident(daemon):
    with open(f"/proc/{daemon.recryptd.pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.recryptd.pid}/fd"))


def sanitized(daemon):
    with open(f"/proc/{daemon.recryptd.pid}/maps", encoding="ascii") as f:
        return "libasan" in f.read()


def luks_device(path):
    """A small LUKS2 volume at a path of bytes."""
    with open(path, "wb") as f:
        f.truncate(32 << 20)
    subprocess.run(["cryptsetup", "luksFormat", "-q", "--type", "luks2", "--pbkdf", "pbkdf2",
                    "--pbkdf-force-iterations", "1000", "--key-file", "-", path], check=True,
                   input=b"first passphrase", capture_output=True)


class SilentPolkit:
    """
    Owns polkit's name, and answers nobody: the agent of each caller is a person who is out. Only a
    question that is taken back is answered, as polkitd does.
    """

    def __init__(self, daemon):
        self.client = Client(daemon.address)
        self.client.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                         "RequestName", "su",
                         pad(text("org.freedesktop.PolicyKit1"), 4) + struct.pack("<I", 0))
        self.asked = self.cancelled = 0
        self.open = {}  # by their cancellation ids
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        self.client.socket.settimeout(None)
        try:
            while True:
                kind, serial, header, body = self.client.receive()
                if kind == CALL:
                    self._take(serial, header, body)
        except (OSError, ConnectionError):
            pass  # closed

    def _take(self, serial, header, body):
        number = re.search(rb"call-\d+|$", body)[0]
        if b"\0CheckAuthorization\0" in header:
            self.open[number] = serial, re.search(rb":1\.\d+", header)[0]
            self.asked += 1
        else:
            self.client.fail(*self.open.pop(number),
                             "org.freedesktop.PolicyKit1.Error.Cancelled")
            self.cancelled += 1

    def close(self):
        self.client.close()
