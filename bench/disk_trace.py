# SPDX-License-Identifier: GPL-3.0-or-later
"""
What a re-encryption did with a disk of bench/disks, from the log of its requests. A request goes
through these moments:

    arrival ... start ... end ... done      waits in the queue, is served, waits for the latency

A moment of the run is counted for what the disk does then, and where it does nothing, for what the
program waits for: data before all else, since the data are what the run is there for.
"""
import statistics

KINDS = ("data read", "data write", "area", "header read", "header write", "flush")
STATES = ("both ways", *KINDS[:2], "seek", *KINDS[2:], "idle")
BOTH_HEADERS = 32 << 10
NO_SEEK = 1000  # ns: what the model has rounded


def median_run(runs):
    """The one that is reported where only one can be."""
    return sorted(runs, key=lambda r: r["bytes_per_second"])[len(runs) // 2]


def keep_one_window(runs):
    """Those of the others would fill the report."""
    for r in runs:
        if r is not median_run(runs):
            del r["trace"]["window"]


def kind_of(op, offset, header):
    if op == "F":
        return "flush"
    if offset < BOTH_HEADERS:
        return "header read" if op == "R" else "header write"
    if offset < header:
        return "area"
    return "data read" if op == "R" else "data write"


class Trace:
    def __init__(self, requests, parameters):
        self.requests = [(op, kind_of(op, offset, parameters["header_size"]), size, *times)
                         for op, offset, size, *times in requests]
        self.parameters = parameters
        # The run begins and ends with the data: keyslots and their keys are not its matter.
        data = [r for r in self.requests if r[1] in KINDS[:2]]
        self.begin = min((r[3] for r in data), default=0)
        self.end = max((r[6] for r in data), default=0)

    def services(self):
        """(begin, end, state, whether the disk itself is busy) of each request's parts."""
        p = self.parameters
        for op, kind, size, arrival, start, end, done in self.requests:
            if p.get("cache") and op == "W":
                yield arrival, done, kind, False
            elif p.get("turn") and op != "F":
                positioned = end - size * 10 ** 9 // p["read_rate"]
                if positioned - start > NO_SEEK:
                    yield start, positioned, "seek", True
                else:
                    positioned = start
                yield positioned, end, kind, True
                yield arrival, done, kind, False
            else:
                yield start, end, kind, True
                yield arrival, done, kind, False

    def states(self):
        """Seconds of the run in each state; they add up to it."""
        changes = []
        for begin, end, state, busy in self.services():
            begin, end = max(begin, self.begin), min(end, self.end)
            if begin < end:
                changes += [(begin, 1, state, busy), (end, -1, state, busy)]
        counts = {busy: dict.fromkeys(STATES, 0) for busy in (True, False)}
        total, last = dict.fromkeys(STATES, 0), self.begin
        for moment, change, state, busy in sorted(changes, key=lambda c: c[0]):
            if moment > last:
                total[self.state(counts)] += moment - last
                last = moment
            counts[busy][state] += change
        return {state: ns / 1e9 for state, ns in total.items()}

    @staticmethod
    def state(counts):
        for busy in (True, False):
            present = counts[busy]
            if busy and present["data read"] and present["data write"]:
                return "both ways"
            for state in STATES:
                if present[state]:
                    return state
        return "idle"

    def hotzones(self):
        """When each began to be protected: the first write to the area after something else."""
        found, last = [], None
        for op, kind, _, arrival, *_ in self.requests_by_arrival():
            if op == "W":
                if kind == "area" and last != "area" and self.begin <= arrival <= self.end:
                    found.append(arrival)
                last = kind
        return found

    def requests_by_arrival(self):
        return sorted((r for r in self.requests if r[0] != "B"), key=lambda r: r[3])

    def kinds(self):
        """Of each kind, those that arrived in the run: how many, bytes, and how long they took."""
        found = {}
        for kind in KINDS:
            mine = [r for r in self.requests if r[0] != "B" and r[1] == kind and
                    self.begin <= r[3] <= self.end]
            found[kind] = {
                "requests": len(mine), "bytes": sum(r[2] for r in mine),
                "queued": statistics.mean((r[4] - r[3]) / 1e9 for r in mine) if mine else 0,
                "took": statistics.mean((r[6] - r[3]) / 1e9 for r in mine) if mine else 0,
                "longest": max(((r[6] - r[3]) / 1e9 for r in mine), default=0),
            }
        return found

    def steady_rate(self):
        """Bytes of data written per second in the second half of the run."""
        half = (self.begin + self.end) / 2
        written = sum(r[2] for r in self.requests
                      if r[0] == "W" and r[1] == "data write" and r[6] > half)
        return written / ((self.end - half) / 1e9) if self.end > half else 0

    def window(self):
        """One hotzone from the middle of the run: its seconds, and the services within."""
        zones = self.hotzones()
        middle = len(zones) // 2
        begin, end = zones[middle - 1:middle + 1] if middle else (self.begin, self.end)
        shown = [(kind, max(s - begin, 0) / 1e9, (min(e, end) - begin) / 1e9, busy)
                 for s, e, kind, busy in self.services() if s < end and e > begin]
        return {"seconds": (end - begin) / 1e9, "services": shown}

    def summary(self):
        return {"seconds": (self.end - self.begin) / 1e9, "hotzones": len(self.hotzones()),
                "states": self.states(), "kinds": self.kinds(), "steady_rate": self.steady_rate(),
                "window": self.window()}
