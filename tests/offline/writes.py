# SPDX-License-Identifier: GPL-3.0-or-later
"""
What a program writes to the file of a header and when it flushes it, as strace saw it, and what a
power cut may leave of that: each write since the last flush is there, or not, or torn.
"""
import copy
import itertools
import re

from lab import execute, fresh
from programs import strace
from scenarios import check

CALLS = ("write", "pwrite64", "read", "lseek", "fsync", "fdatasync", "io_uring_enter")
SECTOR = 512

_CALL = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)")


class Write:
    """@call and @number: the N-th call of this name, to kill a program right before it."""
    def __init__(self, offset, data, call=None, number=None):
        self.offset, self.data, self.call, self.number = offset, data, call, number


class Flush:
    def __init__(self, call, number):
        self.call, self.number = call, number


def record(command, path, at=None, **how):
    """
    Runs @command, killed by @at if that is given. Returns what it did to the file @path up to its
    end, or up to where it first worked on data (with io_uring); and how it ended.
    """
    log = fresh("writes")
    traced = [*strace(), "--seccomp-bpf", "-o", log, "-xx", "-s", str(1 << 20), "-e",
              f"trace={','.join(CALLS)}", "-y", *command]
    if at:
        traced.remove("--seccomp-bpf")
        traced[traced.index("-o"):traced.index("-o")] = ["-e", at.injection()]
        at.log = log
    result = execute(traced, at, **how)
    with open(log, encoding="ascii", errors="replace") as f:
        return list(_events(f, path)), result


def _text(hexed):
    return bytes.fromhex(hexed.replace("\\x", ""))


def _events(lines, path):
    position, counts, unfinished = {}, {}, {}
    for line in lines:
        parts = re.match(r"(\d+) +(.*?) <unfinished \.\.\.>$", line)
        if parts:
            unfinished[parts[1]] = parts[2]
            continue
        parts = re.match(r"(\d+) +<\.\.\. \w+ resumed>(.*)", line)
        if parts:
            line = f"{parts[1]} {unfinished.pop(parts[1])}{parts[2]}"
        call = _CALL.match(line)
        if not call:
            continue
        pid, name, arguments, value = call[1], call[2], call[3], int(call[4])
        if name == "io_uring_enter":
            yield name
            continue
        counts[pid, name] = counts.get((pid, name), 0) + 1
        fd, named = re.match(r"(\d+)<([^>]*)>", arguments).groups()
        if _text(named) != path.encode() or value < 0:
            continue
        if name in ("fsync", "fdatasync"):
            yield Flush(name, counts[pid, name])
        elif name == "lseek":
            position[pid, fd] = value
        elif name == "read":
            position[pid, fd] = position.get((pid, fd), 0) + value
        else:
            data = _text(re.search(r'"([^"]*)"', arguments)[1])[:value]
            offset = position.get((pid, fd), 0)
            if name == "pwrite64":
                offset = int(arguments.rsplit(",", 1)[1], 0)
            else:
                position[pid, fd] = offset + value
            yield Write(offset, data, name, counts[pid, name])


class Cache:
    """The first @size bytes of a file on a disk with a volatile cache."""
    def __init__(self, path, size):
        with open(path, "rb") as f:
            self.durable = f.read(size)
        self.pending = []

    def apply(self, event):
        if isinstance(event, Write):
            if event.offset < len(self.durable):
                self.pending.append(event)
        elif isinstance(event, Flush):
            self.durable = self._with(self.pending)
            self.pending = []

    def apply_all(self, events):
        for event in events:
            self.apply(event)

    def _with(self, writes):
        image = bytearray(self.durable)
        for w in writes:
            image[w.offset:w.offset + len(w.data)] = w.data
        return bytes(image[:len(self.durable)])

    def states(self):
        """What a power cut may leave: of each write all, nothing, its beginning, or its end."""
        check(len(self.pending) <= 4, f"{len(self.pending)} writes without a flush are too many")
        kept = [[[w], [], [Write(w.offset, w.data[:-SECTOR])],
                 [Write(w.offset + SECTOR, w.data[SECTOR:])]] for w in self.pending]
        for choice in itertools.product(*kept):
            yield self._with([w for writes in choice for w in writes])

    def states_while(self, events):
        """The same at each moment of @events, up to where data are worked on; changes nothing."""
        cache = copy.copy(self)
        cache.pending = list(self.pending)
        yield from cache.states()
        for event in events:
            if event == "io_uring_enter":
                return
            cache.apply(event)
            yield from cache.states()
