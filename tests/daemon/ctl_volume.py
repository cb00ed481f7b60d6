# SPDX-License-Identifier: GPL-3.0-or-later
"""An image file with a LUKS2 volume, for what people do with recryptctl."""
import json
import os
import subprocess

from bus import MANAGER, MIB, PATH, VOLUME, check, wait_until

FAST_PBKDF = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
DATA_OFFSET = 16 * MIB
SLOW = "64K"  # per second; lifted when all that is to be seen has been


class Volume:
    """An image with one keyslot, known to the daemon."""

    def __init__(self, daemon, name="image", size=16 * MIB, add=True):
        self.daemon = daemon
        self.path = os.path.join(daemon.scratch, name)
        self.key = os.path.join(daemon.scratch, f"{name}.key")
        with open(self.key, "w", encoding="ascii") as f:
            f.write(f"passphrase of {name}")
        with open(self.path, "wb") as f:
            f.truncate(DATA_OFFSET + size)
        self.stock("luksFormat", "-q", "--type", "luks2", "--sector-size", "4096", *FAST_PBKDF,
                   self.path, self.key)
        with open(self.path, "r+b") as f:
            f.seek(DATA_OFFSET)
            f.write(os.urandom(size))
        self.before = self.dump()
        self.object = None
        if add:
            self.ctl("add", self.path)
            self.object = daemon.call(PATH, MANAGER, "GetVolume", "sa{sv}", self.path, 0)[0]

    def stock(self, *arguments):
        return subprocess.run(["cryptsetup", *arguments], check=True, capture_output=True,
                              text=True).stdout

    def dump(self):
        return json.loads(self.stock("luksDump", "--dump-json-metadata", self.path))

    def ctl(self, *arguments, code=0, stdin=b"", **how):
        result = self.daemon.ctl(*arguments, stdin=stdin, **how)
        check(result.returncode == code,
              f"{' '.join(arguments)}: exit code {result.returncode}, not {code}:\n"
              f"{result.stdout.decode()}{result.stderr.decode()}")
        return result

    def get(self, name):
        return self.daemon.get(self.object, VOLUME, name)

    def state(self):
        return self.get("State")

    def wait_for(self, *states):
        wait_until(lambda: self.state() in states, f"{' or '.join(states)}")

    def unlock(self):
        self.ctl("unlock", "--key-file", self.key, self.path)

    def check_rotated(self):
        after = self.dump()
        check(len(after["digests"]) == 1 and len(after["keyslots"]) == 1,
              f"more than one key is left: {after}")
        check(list(after["digests"].values())[0]["digest"] !=
              list(self.before["digests"].values())[0]["digest"], "the key is the old one")
        check("requirements" not in after["config"], "the header is still in re-encryption")
        self.stock("open", "--test-passphrase", "--key-file", self.key, self.path)

    def check_as_before(self):
        after = self.dump()
        check(after["digests"].keys() and list(after["digests"].values())[0]["digest"] ==
              list(self.before["digests"].values())[0]["digest"], "the key is not the old one")
        check("requirements" not in after["config"], "the header is still in re-encryption")
