# SPDX-License-Identifier: GPL-3.0-or-later
"""
The disks of bench/disks: their parameters, what a re-encryption can reach on them, and the file that
behaves as one of them (disk-fuse.c). Times are nanoseconds, sizes bytes, as in disk-model.h.
"""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

US, MS = 10 ** 3, 10 ** 6
MB = 10 ** 6
HEADER = 16 << 20  # the default of luksFormat

HEAD = {"read_rate": 180 * MB, "write_rate": 180 * MB, "half_duplex": 1,
        "read_latency": 50 * US, "write_latency": 50 * US, "flush_time": 200 * US,
        "exclusive_flush": 1, "turn": 60 * 10 ** 9 // 7200, "least_seek": 500 * US,
        "full_seek": 10 * MS, "disk_size": 4 * 10 ** 12, "header_size": HEADER,
        "gather": 300 * US,
        # As in a large volume that is half done.
        "data_place": 2 * 10 ** 12}
NVME = {"read_rate": 1200 * MB, "write_rate": 1200 * MB, "read_latency": 70 * US,
        "write_latency": 18 * US, "request_time": 2 * US}

# Slow motion: how many times as fast the CPU has to look for the disk to be the limit.
MODELS = {
    "hdd": ("hard disk, 7200/min, write-back cache", 1,
            {**HEAD, "cache": 64 << 20, "cache_high": 48 << 20, "cache_low": 16 << 20,
             "link_rate": 550 * MB}),
    "hdd-nocache": ("hard disk, 7200/min, no write cache", 1, HEAD),
    "sata-ssd": ("SATA SSD", 1,
                 {"read_rate": 520 * MB, "write_rate": 480 * MB, "read_latency": 82 * US,
                  "write_latency": 22 * US, "request_time": 8 * US, "half_duplex": 1,
                  "flush_time": 4 * MS, "exclusive_flush": 1}),
    "nvme": ("NVMe, consumer", 4, {**NVME, "flush_time": 1500 * US}),
    "nvme-plp": ("NVMe, power-loss protection", 4, {**NVME, "flush_time": 30 * US}),
    "cloud": ("cloud volume", 1,
              {"read_rate": 125 * MB, "write_rate": 125 * MB, "read_latency": 800 * US,
               "write_latency": 800 * US, "iops": 3000, "iop_size": 256 << 10, "half_duplex": 1,
               "flush_time": 800 * US}),
    "network": ("network block store", 1,
                {"read_rate": 300 * MB, "write_rate": 300 * MB, "read_latency": 2 * MS,
                 "write_latency": 2 * MS, "flush_time": 5 * MS}),
}


def limit(parameters, resilience):
    """Bytes per second if each byte is read once and written once, or twice with a journal."""
    read = 1 / parameters["read_rate"]
    write = (2 if resilience == "journal" else 1) / parameters["write_rate"]
    return 1 / (read + write if parameters.get("half_duplex") else max(read, write))


def describe(parameters):
    """The parameters in one line for people."""
    p = {"half_duplex": 0, **parameters}
    parts = [f"read {p['read_rate'] / MB:g} MB/s, write {p['write_rate'] / MB:g} MB/s, "
             f"{'half' if p['half_duplex'] else 'full'} duplex",
             f"latency {p['read_latency'] / MS:g} and {p['write_latency'] / MS:g} ms"]
    if p.get("request_time"):
        parts.append(f"{p['request_time'] / US:g} us each")
    if p.get("iops"):
        parts.append(f"{p['iops']} requests/s of {p['iop_size'] >> 10} KiB")
    if p.get("turn"):
        parts.append(f"turn {p['turn'] / MS:.2f} ms, seek {p['least_seek'] / MS:g} to "
                     f"{p['full_seek'] / MS:g} ms")
    if p.get("cache"):
        parts.append(f"write-back cache {p['cache'] >> 20} MiB")
    parts.append(f"flush {p['flush_time'] / MS:g} ms{', alone' if p.get('exclusive_flush') else ''}")
    parts.append("small requests first" if p.get("fair") else
                 "sorts what comes at once" if p.get("turn") else "strictly in order")
    return "; ".join(parts)


class Disk:
    """A file that behaves as a disk, while the program behind it runs."""

    def __init__(self, build, parameters, slow_motion):
        self.program = os.path.join(build, "bench/disk-fuse")
        if not os.access(self.program, os.X_OK):
            sys.exit(f"{self.program} is not built: install libfuse3-dev (scripts/install-deps), "
                     "run configure and make again")
        self.options = [f"{name}={value}" for name, value in
                        {**parameters, "slow_motion": slow_motion}.items()]
        self.mounted = self.process = None

    def __enter__(self):
        self.mounted = tempfile.mkdtemp(prefix="recryptd-disk-")
        self.process = subprocess.Popen([self.program, self.mounted, *self.options])
        limit_ = time.monotonic() + 120
        while not os.path.ismount(self.mounted):
            if self.process.poll() is not None or time.monotonic() > limit_:
                self.__exit__()
                sys.exit("the model of the disk does not start: is there a /dev/fuse?")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        os.rmdir(self.mounted)

    def path(self):
        return os.path.join(self.mounted, "disk")

    def environment(self):
        """Of programs that work on the disk: see disk-flush.c."""
        library = os.path.join(os.path.dirname(self.program), "disk-flush.so")
        return {**os.environ, "DISK_FLUSH": self.mounted, "LD_PRELOAD": library}

    def clear_log(self):
        with open(os.path.join(self.mounted, "log"), "w", encoding="ascii") as log:
            log.write("\n")

    def log(self):
        """How late replies were, seconds; and each request: letter and six numbers."""
        with open(os.path.join(self.mounted, "log"), encoding="ascii") as log:
            first, *lines = log.read().splitlines()
        replies, late, latest = map(int, re.findall(r"\d+", first))
        requests = [(line[0], *map(int, line[2:].split())) for line in lines]
        return {"mean": late / max(replies, 1) / 1e9, "max": latest / 1e9}, requests
