# SPDX-License-Identifier: GPL-3.0-or-later
"""
Our programs and stock cryptsetup, run whole, stopped, or killed at the N-th system call. Ours are
those of $BUILD, the build directory. OFFLINE_POINTS sets how many points a sweep of kills tries
(default 6, 0 for every one).
"""
import atexit
import functools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from scenarios import SEED, Failed, check

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
POINTS = int(os.environ.get("OFFLINE_POINTS", "6"))

scratch = tempfile.mkdtemp(prefix="recryptd-offline-")
atexit.register(shutil.rmtree, scratch, ignore_errors=True)


def fresh(kind):
    fd, path = tempfile.mkstemp(prefix=f"{kind}-", dir=scratch)
    os.close(fd)
    return path


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


def strace():
    """
    On one CPU, as there all calls that change the volume are made by one thread, which takes
    signals: what is counted is then the order of them all.
    """
    cpu = random.choice(sorted(os.sched_getaffinity(0)))
    return ["taskset", "--cpu-list", str(cpu), "strace", "-f", "-qq"]


class At:
    """
    Delivers a signal at the @number-th call of a system call, one thread's calls counted. KILL is
    for all processes of the program: the one that makes the call is stopped, without the call, and
    then all are killed. By itself it would be outlived by the process that it derives keys for.
    """
    def __init__(self, syscall, number, what="KILL"):
        self.syscall, self.number, self.what = syscall, number, what
        self.log = fresh("stopped")

    def injection(self):
        what = "error=EINTR:signal=STOP" if self.what == "KILL" else f"signal={self.what}"
        return f"inject={self.syscall}:{what}:when={self.number}"

    def wrap(self, command):
        return [*strace(), "-o", self.log, "-e", f"trace={self.syscall}", "-e", self.injection(),
                *command]

    def is_due(self):
        """Whether all processes are to be killed now."""
        if self.what != "KILL" or not os.path.exists(self.log):
            return False
        with open(self.log, encoding="ascii", errors="replace") as f:
            return "stopped by SIGSTOP" in f.read()

    def __str__(self):
        return f"{self.what} at {self.syscall} {self.number}"


def communicate(process, at, stdin, limit):
    end = time.monotonic() + limit
    while at:
        try:
            return process.communicate(stdin, timeout=0.02)
        except subprocess.TimeoutExpired:
            stdin = None
            if at.is_due():
                os.killpg(process.pid, signal.SIGKILL)
                break
            if time.monotonic() > end:
                raise
    return process.communicate(stdin, timeout=limit)


def execute(command, at=None, stdin=b"", limit=120):
    """@command may have been wrapped already, with what @at logs in its place."""
    # Under strace the leak sanitizer cannot work and would fail the run for that.
    env = dict(os.environ, LC_ALL="C")
    command = at.wrap(command) if at and "strace" not in command else command
    if "strace" in command:
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=env, cwd=scratch,
                               start_new_session=True)
    try:
        out, err = communicate(process, at, stdin, limit)
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


def worker_of(pid, limit=120):
    """The worker that the recryptctl @pid has started, once that runs."""
    end = time.monotonic() + limit
    while True:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            for child in f.read().split():
                with open(f"/proc/{child}/comm", encoding="ascii") as comm:
                    if comm.read() == "recrypt-worker\n":
                        return int(child)
        check(time.monotonic() < end, f"recryptctl {pid} starts no worker")
        time.sleep(0.01)


def count_calls(command, syscalls):
    """How often @command, run to its end, makes each system call (most of any of its threads)."""
    log = fresh("calls")
    # Its filter stops at the calls in question only, but does not let signals be injected.
    execute([*strace(), "--seccomp-bpf", "-o", log, "-e", f"trace={','.join(syscalls)}", *command]).ok()
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


def half_way(command):
    """
    Where to stop @command so that about half of its work is done; it is run once to its end to find
    out, and spoils its volume. How often it enters the ring depends on how busy the disk is, how
    often it waits for one flush after the other does not.
    """
    return At("fdatasync", count_calls(command, ("fdatasync",))["fdatasync"] // 2, "TERM")


def sweep(count):
    """Numbers in 1..count to kill at: both ends and a spread between, or every one."""
    if POINTS == 0 or count <= POINTS:
        return list(range(1, count + 1))
    rng = random.Random(SEED)
    inner = rng.sample(range(2, count - 1), max(POINTS - 3, 0))
    return sorted({1, count - 1, count, *inner})
