# SPDX-License-Identifier: GPL-3.0-or-later
"""
What the offline scenarios share: volumes with known plaintext on image files, what happens to them,
and the checks afterwards. How programs are run is in programs.py, how scenarios are in scenarios.py;
a test has all of it from here.
"""
import atexit
import functools
import hashlib
import os
import random
import shutil
import subprocess
import time

import luks2
import sectors
from programs import (OUR_CALLS, STOCK_CALLS, At, count_calls, execute, fresh, half_way,
                      kill_points, recryptctl, scratch, worker_of)
from scenarios import SEED, Failed, Skipped, check, run, scenario

MIB = 1 << 20
FAST_PBKDF = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")

_loops = []


@atexit.register
def _detach_all():
    for loop in _loops:
        subprocess.run(["losetup", "-d", loop], check=False)


# Volumes

@functools.cache
def plaintext(size):
    source, step = random.Random(f"{SEED}/plain/{size}"), 64 * MIB  # randbytes() takes no 256 MiB
    return b"".join(source.randbytes(min(step, size - at)) for at in range(0, size, step))


class Volume:
    """
    An image with a LUKS2 volume of @size bytes whose plaintext is plaintext(size); a scenario may
    lower volume.size to have only the first bytes checked, or set volume.plain to what it is instead
    of that, and volume.unwritten to the blocks (offset, size) that may as well be zeros on the disk.
    @key is the volume key that it was made
    with, @keys are the key files of its keyslots by number.
    """
    def __init__(self, path, header, size, cipher, sector_size, key, keys):
        self.path, self.header_path, self.size, self.made_size = path, header, size, size
        self.cipher, self.sector_size, self.key, self.keys = cipher, sector_size, key, dict(keys)
        self.before = self.metadata()
        self.freed = self.areas(self.before)
        self.killed_at_end = False
        self.orphans = set()
        self.plain = None
        self.unwritten = ()

    @property
    def meta(self):
        return self.header_path or self.path

    def metadata(self):
        """Read without the lock: while a worker writes, neither copy may seem whole."""
        for _ in range(20):
            try:
                return luks2.metadata(self.meta)
            except luks2.BadHeader:
                time.sleep(0.05)
        return luks2.metadata(self.meta)

    def state(self):
        return luks2.state(self.metadata())

    def header_args(self):
        return ["--header", self.header_path] if self.header_path else []

    def areas(self, tree):
        """What is in the areas of the keyslots, by place."""
        found = {}
        with open(self.meta, "rb") as f:
            for slot in tree["keyslots"].values():
                if slot["type"] == "luks2":
                    f.seek(int(slot["area"]["offset"]))
                    found[slot["area"]["offset"]] = f.read(int(slot["area"]["size"]))
        return found

    def copy(self):
        """A second volume like this one, to be spoiled."""
        twin = Volume.__new__(Volume)
        twin.__dict__.update(self.__dict__)
        twin.path = fresh("volume")
        shutil.copyfile(self.path, twin.path)
        if self.header_path:
            twin.header_path = fresh("header")
            shutil.copyfile(self.header_path, twin.header_path)
        return twin

    def remove(self):
        for path in filter(None, (self.path, self.header_path)):
            os.unlink(path)

    def sha256(self):
        digest = hashlib.sha256()
        for path in filter(None, (self.path, self.header_path)):
            with open(path, "rb") as f:
                digest.update(f.read())
        return digest.hexdigest()

    def data(self, offset):
        with open(self.path, "rb") as f:
            f.seek(offset)
            return f.read(self.size)

    # Runs

    def key_args(self, key_file=None):
        return ["--key-file", key_file or next(iter(self.keys.values()))]

    def command(self, program, action, *options, key_file=None, keys=True):
        command = [program, action]
        if action in ("reencrypt", "repair"):
            command.append("-q")
        if keys and action != "status":
            command += self.key_args(key_file)
        return [*command, *self.header_args(), *options, self.path]

    def ours(self, action, *options, at=None, stdin=b"", keys=True, key_file=None):
        return execute(self.command(recryptctl(), action, *options, keys=keys, key_file=key_file),
                       at, stdin)

    def stock(self, action, *options, at=None, stdin=b"", keys=True, key_file=None):
        return execute(self.command("cryptsetup", action, *options, keys=keys, key_file=key_file),
                       at, stdin)

    # Checks

    def volume_key(self, slot, key_file):
        path = fresh("volume-key")
        os.unlink(path)  # luksDump writes no file that exists
        execute(["cryptsetup", "luksDump", "-q", "--dump-volume-key", "--volume-key-file", path,
                 "--key-slot", slot, "--key-file", key_file, self.meta]).ok()
        with open(path, "rb") as f:
            key = f.read()
        os.unlink(path)
        return key

    def opens_with(self, key_file):
        return execute(["cryptsetup", "open", "--test-passphrase", "--key-file", key_file,
                        *self.header_args(), self.path]).code == 0

    def check_plain(self, segment, key):
        """All data, read as @segment says, is the plaintext."""
        data = self.data(int(segment["offset"]))
        found = bytearray(sectors.transform(segment["encryption"], key, segment["sector_size"], data,
                                            False, int(segment["iv_tweak"])))
        wanted = (self.plain or plaintext(self.made_size))[:self.size]
        for offset, size in self.unwritten:
            if not any(data[offset:offset + size]):
                found[offset:offset + size] = wanted[offset:offset + size]
        if found != wanted:
            step = segment["sector_size"]
            bad = [i for i in range(0, self.size, step) if found[i:i + step] != wanted[i:i + step]]
            raise Failed(f"{len(bad)} of {self.size // step} sectors are wrong, the first at byte "
                         f"{bad[0]} of the data, the last at {bad[-1]}")

    def check_whole_header(self):
        try:
            first, second = luks2.copies(self.meta)
        except luks2.BadHeader as e:
            raise Failed(str(e)) from e
        check(first == second, f"the header copies differ: {first[0]} and {second[0]}")
        execute(["cryptsetup", "luksDump", self.meta]).ok()
        return first[1]

    def begun(self):
        """Not only keyslots were added, but the re-encryption was begun, and perhaps ended."""
        tree = self.metadata()
        return (luks2.state(tree) != "none" or
                self._segment_digest(tree) != self._segment_digest(self.before))

    @staticmethod
    def _segment_digest(tree):
        return tree["digests"][luks2.digest_of(tree, "0")]["digest"]

    def check_untouched(self):
        """The volume is the one that was made, under the old key."""
        tree = self.metadata()
        check(luks2.state(tree) == "none", "a re-encryption is in progress")
        check(tree["segments"] == self.before["segments"], "the segment is another")
        self.check_plain(tree["segments"]["0"], self.key)

    def check_finished(self, cipher=None, sector_size=None, keys=None, same_key=False,
                       key_size=None, size="dynamic"):
        """
        The volume is one whole volume under a new key (or the same, where @same_key), openable with
        the key files @keys and with no others, its data the plaintext, and nothing else is left.
        """
        tree = self.check_whole_header()
        keys = list(keys or self.keys.values())
        check("requirements" not in tree["config"], "the requirement is still there")
        check(list(tree["segments"]) == ["0"], f"segments are left: {list(tree['segments'])}")
        segment = tree["segments"]["0"]
        wanted = {"type": "crypt", "offset": self.before["segments"]["0"]["offset"], "size": size,
                  "iv_tweak": "0", "encryption": cipher or self.cipher,
                  "sector_size": sector_size or self.sector_size}
        check(segment == wanted, f"the segment is {segment}, not {wanted}")
        check(luks2.reencrypt_slot(tree) is None, "the reencrypt keyslot is left")
        digest = tree["digests"][luks2.digest_of(tree, "0")]
        slots = set(digest["keyslots"])
        check(len(slots) == len(keys), f"keyslots {slots} for {len(keys)} passphrases")
        check(digest["segments"] == ["0"], f"the digest has segments {digest['segments']}")
        others = luks2.luks_slots(tree) - slots
        check(others == self.orphans, f"keyslots {others} of no segment are left")
        check(len(tree["digests"]) == 1 + bool(self.orphans),
              f"digests are left: {list(tree['digests'])}")
        for token in tree["tokens"].values():
            check(token["type"] != "recryptd-wipe" or self.killed_at_end, "areas wait for their wipe")
            check(set(token["keyslots"]) <= slots | others, f"a token names a lost keyslot: {token}")
        for key_file in keys:
            check(self.opens_with(key_file), f"{key_file} no longer opens the volume")
        for key_file in set(self.keys.values()) - set(keys):
            check(not self.opens_with(key_file), f"{key_file} opens the volume still")

        key = self._any_volume_key(slots, keys)
        check((key == self.key) == same_key,
              "the volume key is the old one" if not same_key else "the volume key is another")
        check(len(key) == (key_size or len(self.key)), f"the volume key has {len(key)} bytes")
        self.check_plain(segment, key)
        if not self.killed_at_end:
            if not same_key:
                self._check_wiped(tree)
            self._check_no_lock_file()

    def _any_volume_key(self, slots, keys):
        for slot in sorted(slots):
            for key_file in keys:
                try:
                    return self.volume_key(slot, key_file)
                except Failed:
                    continue
        raise Failed("no keyslot gives the volume key")

    def _check_wiped(self, tree):
        """The keyslots that are gone cannot be had back from the disk."""
        with open(self.meta, "rb") as f:
            for offset, old in self.freed.items():
                f.seek(int(offset))
                now = f.read(len(old))
                same = sum(now[i:i + 512] == old[i:i + 512] for i in range(0, len(old), 512))
                check(same == 0, f"{same} sectors of a freed keyslot are left at byte {offset}")
        check(tree["segments"]["0"]["offset"] == self.before["segments"]["0"]["offset"],
              "the data is elsewhere")

    def _check_no_lock_file(self):
        uuid = execute(["cryptsetup", "luksUUID", self.meta]).ok().out.strip()
        lock = f"/run/cryptsetup/LN_LUKS2-reencryption-{uuid}"
        check(not os.path.exists(lock), f"the lock file {lock} is left")


def key_file(text):
    path = fresh("passphrase")
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


@functools.cache
def _template(size, sector_size, cipher, key_size, passphrases, detached, keyslots_kib, hash_name):
    """A volume as @make_volume describes it, made once and copied for each use."""
    path, header = fresh("template"), fresh("template-header") if detached else None
    key = random.Random(f"{SEED}/key/{key_size}").randbytes(key_size)
    key_path = fresh("template-key")
    with open(key_path, "wb") as f:
        f.write(key)
    if header:
        os.truncate(header, 4 * MIB)
    os.truncate(path, size + (0 if header else 32768 + keyslots_kib * 1024 + MIB))
    keys = {}
    for number, passphrase in enumerate(passphrases):
        keys[str(number)] = key_file(passphrase)
        where = ["--header", header] if header else []
        if number == 0:
            execute(["cryptsetup", "luksFormat", "-q", "--type", "luks2", *FAST_PBKDF, *where,
                     "--hash", hash_name, "--luks2-metadata-size", "16k", "--luks2-keyslots-size", f"{keyslots_kib}k",
                     "--sector-size", str(sector_size), "--cipher", cipher, "--key-size",
                     str(key_size * 8), "--volume-key-file", key_path, path, keys["0"]]).ok()
        else:
            execute(["cryptsetup", "luksAddKey", "-q", *FAST_PBKDF, "--key-file", keys["0"],
                     header or path, keys[str(number)]]).ok()
    segment = luks2.metadata(header or path)["segments"]["0"]
    offset = int(segment["offset"])
    os.truncate(path, offset + size)
    with open(path, "r+b") as f:
        f.seek(offset)
        f.write(sectors.transform(cipher, key, sector_size, plaintext(size), True))
    return Volume(path, header, size, cipher, sector_size, key, keys)


def make_volume(size=8 * MIB, sector_size=512, cipher="aes-xts-plain64", key_size=64,
                passphrases=("first passphrase",), detached=False, keyslots_kib=992, hash_name="sha256"):
    """@size and @sector_size in bytes, @key_size too; one keyslot for each of @passphrases."""
    return _template(size, sector_size, cipher, key_size, tuple(passphrases), detached,
                     keyslots_kib, hash_name).copy()


def loop_device(path, sector_size=512, read_only=False):
    """A loop device with direct I/O on an image, detached at the end of the program."""
    if os.geteuid() != 0:
        raise Skipped("loop devices need root")
    options = ["--read-only"] if read_only else []
    result = execute(["losetup", "--find", "--show", "--direct-io=on", "--sector-size",
                      str(sector_size), *options, path])
    if result.code != 0:
        raise Skipped(f"no loop device to be had: {result.err.strip()}")
    _loops.append(result.out.strip())
    return _loops[-1]


def detach(loop):
    execute(["losetup", "-d", loop]).ok()
    _loops.remove(loop)


# Options and states that scenarios use again and again

HOTZONE = MIB
PLAIN_FILE = ("--force-offline-reencrypt",)
BEGIN = (*FAST_PBKDF, *PLAIN_FILE, "--hotzone-size", str(HOTZONE))
RESUME = (*FAST_PBKDF, *PLAIN_FILE, "--hotzone-size", str(HOTZONE), "--resume-only")


def begin_again_or_settle(volume, program, options, key_file):
    """A crash before the first commit of the re-encryption, or after its last one."""
    if not volume.begun():
        volume.check_untouched()
        # A keyslot that was added for the new key, and not yet used, looks like one that somebody
        # made on purpose (luksAddKey --unbound), so it stays; but for ours, whose mark we know.
        tree = volume.metadata()
        marked = any(token["type"] == "recryptd-begin" for token in tree["tokens"].values())
        if program != volume.ours or not marked:
            volume.orphans = luks2.luks_slots(tree) - luks2.luks_slots(volume.before)
        program("reencrypt", *BEGIN, *options, key_file=key_file).ok()
    elif volume.state() == "none":
        # The last commit was made, but perhaps not its second copy: the next reader makes that.
        # Only we catch up on what comes after it, the wipe of keyslots and of the lock file.
        execute(["cryptsetup", "luksDump", volume.meta]).ok()
        if program == volume.ours:
            volume.ours("recover").ok()
        else:
            volume.killed_at_end = True


def stock_brings_back(volume, *options, key_file=None):
    """What a user of stock cryptsetup does after a crash."""
    begin_again_or_settle(volume, volume.stock, options, key_file)
    if volume.state() == "hot":
        volume.stock("repair", key_file=key_file).ok()
    if volume.state() != "none":
        volume.stock("reencrypt", *RESUME, *options, key_file=key_file).ok()


def we_bring_back(volume, *options, recover=True, key_file=None):
    """The same with our programs: in two steps, or (not @recover) by running reencrypt again."""
    begin_again_or_settle(volume, volume.ours, options, key_file)
    if recover and volume.state() == "hot":
        volume.ours("recover", key_file=key_file).ok()
        check(volume.state() != "hot", "still hot after recover")
    if volume.state() != "none":
        volume.ours("reencrypt", *RESUME, key_file=key_file).ok()


def at_every_point(points, original, kill, judge):
    """
    For each point, on a copy of @original: kill(volume, at) runs the program into the kill, and
    judge(volume) brings the volume back and checks it. How often a program makes a system call may
    depend on its luck, so a run may get through, but a sweep that kills few is no test.
    """
    killed = 0
    for at in points:
        volume = original.copy()
        try:
            killed += kill(volume, at).killed
            judge(volume)
        except Failed as e:
            raise Failed(f"{at}: {e}") from e
        volume.remove()
    check(2 * killed >= len(points), f"only {killed} of {len(points)} runs were killed")
