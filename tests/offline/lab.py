# SPDX-License-Identifier: GPL-3.0-or-later
"""
What the offline scenarios share: volumes with known plaintext on image files, our programs and
stock cryptsetup run on them (whole, stopped, or killed at the N-th system call), and the checks
afterwards.

A scenario is a function with @scenario; run() runs them all, or those named on the command line.
The programs are those of $BUILD, the build directory. OFFLINE_POINTS sets how many points a sweep
of kills tries (default 6, 0 for every one).
"""
import atexit
import functools
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import luks2
import sectors

MIB = 1 << 20
TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FAST_PBKDF = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
SEED = int(os.environ.get("OFFLINE_SEED") or random.SystemRandom().randrange(1 << 32))
POINTS = int(os.environ.get("OFFLINE_POINTS", "6"))

scratch = tempfile.mkdtemp(prefix="recryptd-offline-")
_loops = []


@atexit.register
def _clean_up():
    for loop in _loops:
        subprocess.run(["losetup", "-d", loop], check=False)
    shutil.rmtree(scratch, ignore_errors=True)


class Failed(Exception):
    """A check did not hold."""


class Skipped(Exception):
    """The machine has not what the scenario needs."""


def check(condition, text):
    if not condition:
        raise Failed(text)


# Programs

def _build_dir():
    if "BUILD" in os.environ:
        return os.environ["BUILD"]
    near = [os.path.join(TREE, name) for name in os.listdir(TREE)] + [os.getcwd()]
    built = [d for d in near if os.path.exists(os.path.join(d, "src/ctl/recryptctl"))]
    if not built:
        sys.exit("no build directory with src/ctl/recryptctl found: set BUILD")
    return max(built, key=lambda d: os.path.getmtime(os.path.join(d, "src/ctl/recryptctl")))


class Result:
    def __init__(self, command, code, out, err):
        self.command, self.code, self.out, self.err = command, code, out, err

    @property
    def killed(self):
        return self.code == -signal.SIGKILL

    def __str__(self):
        return f"{' '.join(self.command)}\nexit code {self.code}\n{self.out}{self.err}".rstrip()

    def ok(self):
        check(self.code == 0, f"failed: {self}")
        return self

    def fails(self, code):
        check(self.code == code, f"exit code {code} expected: {self}")
        return self


STRACE = ("strace", "-f", "-qq")


class At:
    """Delivers a signal at the @number-th call of a system call, one thread's calls counted."""
    def __init__(self, syscall, number, what="KILL"):
        self.syscall, self.number, self.what = syscall, number, what

    def wrap(self, command):
        return [*STRACE, "-o", "/dev/null", "-e", f"trace={self.syscall}", "-e",
                f"inject={self.syscall}:signal={self.what}:when={self.number}", *command]

    def __str__(self):
        return f"{self.what} at {self.syscall} {self.number}"


def execute(command, at=None, stdin=b"", limit=120):
    # Under strace the leak sanitizer cannot work and would fail the run for that.
    env = dict(os.environ, LC_ALL="C")
    command = at.wrap(command) if at else command
    if command[0] == "strace":
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=env, cwd=scratch,
                               start_new_session=True)
    try:
        out, err = process.communicate(stdin, timeout=limit)
    except BaseException as e:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(e, subprocess.TimeoutExpired):
            raise Failed(f"no end after {limit} s: {' '.join(command)}") from e
        raise
    return Result(command, process.returncode, out.decode(errors="replace"),
                  err.decode(errors="replace"))


@functools.cache
def recryptctl():
    return os.path.abspath(os.path.join(_build_dir(), "src/ctl/recryptctl"))


def count_calls(command, syscalls):
    """How often @command, run to its end, makes each system call (most of any of its threads)."""
    log = _fresh("calls")
    execute([*STRACE, "-o", log, "-e", f"trace={','.join(syscalls)}", *command]).ok()
    counts = dict.fromkeys(syscalls, 0)
    seen = {}
    with open(log, encoding="ascii", errors="replace") as f:
        for line in f:
            call = re.match(r"(\d+) +(\w+)\(", line)
            if call:
                seen[call.groups()] = seen.get(call.groups(), 0) + 1
    for (_, syscall), count in seen.items():
        counts[syscall] = max(counts[syscall], count)
    os.unlink(log)
    return counts


# System calls by which the programs change a volume or wait for the disk.
OUR_CALLS = ("io_uring_enter", "pwrite64", "fdatasync", "fsync")
STOCK_CALLS = ("write", "fsync", "fdatasync")


def kill_points(command, syscalls):
    """Where to kill @command, which is run once to its end to find out; spoils its volume."""
    counts = count_calls(command, syscalls)
    check(any(counts.values()), f"none of {syscalls} in {' '.join(command)}")
    return [At(syscall, number) for syscall, count in counts.items() for number in sweep(count)]


def sweep(count):
    """Numbers in 1..count to kill at: both ends and a spread between, or every one."""
    if POINTS == 0 or count <= POINTS:
        return list(range(1, count + 1))
    rng = random.Random(SEED)
    inner = rng.sample(range(2, count - 1), max(POINTS - 3, 0))
    return sorted({1, count - 1, count, *inner})


# Volumes

@functools.cache
def plaintext(size):
    return random.Random(f"{SEED}/plain/{size}").randbytes(size)


class Volume:
    """
    An image with a LUKS2 volume of @size bytes whose plaintext is plaintext(size); a scenario may
    lower volume.size to have only the first bytes checked. @key is the volume key that it was made
    with, @keys are the key files of its keyslots by number.
    """
    def __init__(self, path, header, size, cipher, sector_size, key, keys):
        self.path, self.header_path, self.size, self.made_size = path, header, size, size
        self.cipher, self.sector_size, self.key, self.keys = cipher, sector_size, key, dict(keys)
        self.before = self.metadata()
        self.freed = self.areas(self.before)
        self.killed_at_end = False
        self.orphans = set()

    @property
    def meta(self):
        return self.header_path or self.path

    def metadata(self):
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
        twin.path = _fresh("volume")
        shutil.copyfile(self.path, twin.path)
        if self.header_path:
            twin.header_path = _fresh("header")
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
        path = _fresh("volume-key")
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
        found = sectors.transform(segment["encryption"], key, segment["sector_size"], data, False,
                                  int(segment["iv_tweak"]))
        wanted = plaintext(self.made_size)[:self.size]
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


def _fresh(kind):
    fd, path = tempfile.mkstemp(prefix=f"{kind}-", dir=scratch)
    os.close(fd)
    return path


def key_file(text):
    path = _fresh("passphrase")
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


@functools.cache
def _template(size, sector_size, cipher, key_size, passphrases, detached, keyslots_kib):
    """A volume as @make_volume describes it, made once and copied for each use."""
    path, header = _fresh("template"), _fresh("template-header") if detached else None
    key = random.Random(f"{SEED}/key/{key_size}").randbytes(key_size)
    key_path = _fresh("template-key")
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
                     "--luks2-metadata-size", "16k", "--luks2-keyslots-size", f"{keyslots_kib}k",
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
                passphrases=("first passphrase",), detached=False, keyslots_kib=992):
    """@size and @sector_size in bytes, @key_size too; one keyslot for each of @passphrases."""
    return _template(size, sector_size, cipher, key_size, tuple(passphrases), detached,
                     keyslots_kib).copy()


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
        # made on purpose (luksAddKey --unbound), so it stays.
        volume.orphans = luks2.luks_slots(volume.metadata()) - luks2.luks_slots(volume.before)
        program("reencrypt", *BEGIN, *options, key_file=key_file).ok()
    elif volume.state() == "none":
        # The last commit was made, but perhaps not its second copy: the next reader makes that.
        # Nobody catches up on what comes after it, the wipe of keyslots and of the lock file.
        execute(["cryptsetup", "luksDump", volume.meta]).ok()
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


# Scenarios

_scenarios = []


def scenario(function=None, **variants):
    """
    Registers a scenario; with variants, e.g. resilience=("checksum", "journal"), once for each
    value of the keyword (for each combination of several).
    """
    def register(f):
        cases = [{}]
        for name, values in variants.items():
            cases = [dict(case, **{name: value}) for case in cases for value in values]
        for case in cases:
            label = " ".join([f.__name__.replace("_", " ")] +
                             [f"[{n} {re.sub(r'[^A-Za-z0-9:>/-]+', ' ', str(v)).strip()}]"
                              for n, v in case.items()])
            _scenarios.append((label, f, case))
        return f
    return register(function) if function else register


def run():
    """
    Prints TAP; exits 0 when all passed, 1 when one failed, 77 when none failed but one could not be
    run.
    """
    # So that loop devices and files go when the program is told to.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    wanted = " ".join(sys.argv[1:])
    scenarios = [s for s in _scenarios if wanted in s[0]]
    if not scenarios:
        sys.exit(f"no scenario is called {wanted!r}")
    print(f"# seed {SEED} (repeat with OFFLINE_SEED={SEED})\n1..{len(scenarios)}", flush=True)
    bad = skipped = 0
    for number, (label, function, case) in enumerate(scenarios, 1):
        begin, verdict, note, details = time.monotonic(), "ok", "", ""
        try:
            function(**case)
        except Skipped as e:
            note, skipped = f" # SKIP {e}", skipped + 1
        except Failed as e:
            verdict, details, bad = "not ok", str(e), bad + 1
        except Exception:  # a defect of the scenario itself must not hide the others
            verdict, details, bad = "not ok", traceback.format_exc(), bad + 1
        seconds = time.monotonic() - begin
        print(f"{verdict} {number} - {label} ({seconds:.1f} s){note}", flush=True)
        for line in details.splitlines():
            print(f"#   {line}", flush=True)
    sys.exit(1 if bad else 77 if skipped else 0)
