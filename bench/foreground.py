# SPDX-License-Identifier: GPL-3.0-or-later
"""
An application on a mounted volume, which is fio, while the volume is re-encrypted or not:

    fio:  |--------------------------------------------------------|
                  |---------- recryptctl or cryptsetup -------|
    counted:      |===========================================|
"""
import glob
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

from common import FAST_PBKDF, MIB, key_identity, run

NAME = "recryptd-bench"
LEAD_SECONDS = 2  # of fio's requests, before the re-encryption begins


class Volume:
    """LUKS2 with ext4 on @device, whose contents are lost, mounted, and full of a file."""

    def __init__(self, args, scratch):
        self.args, self.device, self.scratch = args, args.host, scratch
        self.key_file = os.path.join(scratch, "passphrase")
        self.mounted = os.path.join(scratch, "mounted")
        self.file = os.path.join(self.mounted, "file")

    def __enter__(self):
        with open(self.key_file, "w", encoding="ascii") as f:
            f.write("bench")
        os.mkdir(self.mounted)
        run(["cryptsetup", "luksFormat", "-q", "--type", "luks2", *FAST_PBKDF, "--cipher",
             "aes-xts-plain64", "--key-size", "512", "--sector-size", str(self.args.sector_size),
             self.device, self.key_file])
        run(["cryptsetup", "open", "--key-file", self.key_file, self.device, NAME])
        run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard",
             "/dev/mapper/" + NAME])
        run(["mount", "-o", "noatime", "/dev/mapper/" + NAME, self.mounted])
        free = os.statvfs(self.mounted)
        self.fill(free.f_bavail * free.f_frsize * 95 // 100 // MIB * MIB)
        return self

    def __exit__(self, *_):
        for undo in (["umount", self.mounted], ["cryptsetup", "close", NAME]):
            subprocess.run(undo, check=False)

    def fill(self, size):
        block = os.urandom(MIB)
        with open(self.file, "wb") as f:
            for _ in range(size // MIB):
                f.write(block)
            os.fsync(f.fileno())

    def bytes(self):
        return int(run(["blockdev", "--getsize64", "/dev/mapper/" + NAME]))

    def requests(self):
        """Reads and writes that have ended on the mapping (Documentation/block/stat.rst)."""
        device = os.stat("/dev/mapper/" + NAME).st_rdev
        with open(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat",
                  encoding="ascii") as f:
            fields = f.read().split()
        return int(fields[0]) + int(fields[4])


class Application:
    """fio: clients that read, and as many that write, each at its part of the rate."""

    def __init__(self, args, volume, scratch):
        self.logs = os.path.join(scratch, "log")
        common = [f"--filename={volume.file}", f"--bs={args.block}", "--ioengine=psync",
                  "--direct=1", "--thread", "--time_based", "--runtime=86400", "--norandommap",
                  "--allow_file_create=0", f"--numjobs={args.clients}", "--log_unix_epoch=1"]
        command = ["fio", f"--output={os.path.join(scratch, 'fio')}"]
        for direction, rate in (("read", args.read_iops), ("write", args.write_iops)):
            command += ["--name=" + direction, "--rw=rand" + direction, *common,
                        f"--rate_iops={rate / args.clients:g}",
                        f"--write_lat_log={self.logs}.{direction}"]
            if direction == "write" and args.sync:
                command.append(f"--fdatasync={args.sync}")
        self.lead = LEAD_SECONDS * (args.read_iops + args.write_iops)
        self.command, self.volume, self.scratch = command, volume, scratch
        self.process = None

    def __enter__(self):
        with open(os.path.join(self.scratch, "fio-errors"), "wb") as errors:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=errors,
                                            stderr=errors)
        # It takes seconds to start.
        until, limit = self.volume.requests() + self.lead, time.monotonic() + 120
        while self.volume.requests() < until:
            if self.process.poll() is not None or time.monotonic() > limit:
                self.process.kill()
                sys.exit("fio does not start: " + self.errors())
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait()

    def requests(self, begin, end):
        """Those under way between two moments; sorted, seconds from @begin on."""
        found = []
        for path in glob.glob(self.logs + ".*_lat.*.log"):
            if not re.search(r"_lat\.\d+\.log$", path) or "_clat." in path or "_slat." in path:
                continue
            with open(path, encoding="ascii") as log:
                for line in log:
                    ended, latency = line.split(",")[:2]
                    ended, latency = int(ended) / 1e3, int(latency) / 1e9
                    if ended >= begin and ended - latency <= end:
                        found.append((round(ended - latency - begin, 4), round(latency, 6)))
        if not found:
            sys.exit("fio did nothing: " + self.errors())
        return sorted(found)

    def errors(self):
        with open(os.path.join(self.scratch, "fio-errors"), encoding="utf-8") as f:
            return f.read()


class Idler:
    """
    A thread that sleeps and looks at the clock: by how much it is late, the machine is late for
    reasons of its own, and no latency below that means anything.
    """

    NAP = 0.005

    def __init__(self):
        self.late, self.end = [], threading.Event()
        self.thread = threading.Thread(target=self.idle)

    def idle(self):
        while not self.end.is_set():
            begin = time.monotonic()
            time.sleep(self.NAP)
            self.late.append(max(time.monotonic() - begin - self.NAP, 1e-6))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()


class Bench:
    """The runs on one volume."""

    def __init__(self, args, volume, scratch):
        self.args, self.volume, self.scratch = args, volume, scratch
        options = [*FAST_PBKDF, "-q", "--key-file", volume.key_file]
        ours = [os.path.join(args.build, "src/ctl/recryptctl"), "reencrypt", "--debug", *options]
        plain = ["--stall-target", str(args.stall_target)] if args.stall_target is not None else []
        self.programs = {"ours": ours + plain,
                         "limited": [*ours, "--stall-target", str(args.fast_stall_target)],
                         "stock": ["cryptsetup", "reencrypt", *options]}

    def reencrypt(self, kind, rate):
        """What our worker said of itself."""
        before = key_identity(self.volume.device)
        limit = ["--rate", str(max(int(rate), 65536))] if kind == "limited" else []
        done = subprocess.run([*self.programs[kind], *limit, self.volume.device], check=False,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            sys.exit(f"{kind}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return before, done.stdout + done.stderr

    def once(self, kind, rate=0):
        """@rate in bytes per second: of our run that is to be as slow as stock's."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as scratch:
            application = Application(self.args, self.volume, scratch)
            with application, Idler() as idler:
                begin, said = time.time(), ""
                if kind == "none":
                    time.sleep(self.args.seconds)
                else:
                    before, said = self.reencrypt(kind, rate)
                end = time.time()
            if kind != "none" and key_identity(self.volume.device) == before:
                sys.exit(f"{kind} changed no volume key")
            requests = application.requests(begin, end)
        return {"kind": kind, "seconds": end - begin, "load": os.getloadavg()[0], "rate": rate, "late": idler.late,
                "requests": requests, **hotzones(said)}

    def rounds(self):
        """Each kind goes first in turn; the limited run needs the speed of one of stock's."""
        runs, stock = [], []
        for number in range(self.args.rounds):
            order = ["none", "stock", "ours", "limited"] if number % 2 == 0 else \
                ["ours", "limited", "stock", "none"]
            for kind in order:
                runs.append(self.once(kind, self.volume.bytes() / stock[-1] if stock else 0))
                if kind == "stock":
                    stock.append(runs[-1]["seconds"])
                print(f"  round {number + 1}, {kind}: {runs[-1]['seconds']:.1f} s", flush=True)
        return runs


def hotzones(text):
    """From the lines of --debug: how long hotzones were frozen, and for what; seconds."""
    found = {}
    for name, what in (("frozen", "hotzones frozen"), ("freezing", "to freeze them")):
        match = re.search(what + r": (\d+) times; microseconds of half (\d+), of 99 % (\d+), "
                          r"of 99\.9 % (\d+), of all (\d+)", text)
        if match:
            count, *times = map(int, match.groups())
            found[name] = {"count": count, **{q: usec / 1e6 for q, usec in
                                              zip(("p50", "p99", "p99.9", "max"), times)}}
    if found:
        found["stages"] = {stage: int(usec) / 1e6 for stage, usec in
                           re.findall(r"stage (\w+): (\d+) us", text)}
    return found


def simulated_disk(size, rate, iops):
    """
    In a guest: a disk in memory that does one request at a time, each in the same time, of so many
    bytes at most that it reaches @rate. It has no volatile cache, so that flushes are free. (The
    kernel's limits for cgroups would do, but let a tenth of a second's worth pass at once.)
    """
    modprobe = ["modprobe", "-d", "/run/guest/modules"]
    run([*modprobe, "sd_mod"])
    run([*modprobe, "scsi_debug", f"dev_size_mb={-(-size // MIB)}", "sector_size=512",
         "physblk_exp=3", "max_queue=1", f"ndelay={1000000000 // iops}"])
    end = time.monotonic() + 60
    while not os.path.exists("/dev/sda"):
        if time.monotonic() > end:
            sys.exit("no simulated disk within a minute")
        time.sleep(0.1)
    for name, value in (("write_cache", "write through"), ("max_sectors_kb", rate // iops // 1024)):
        with open("/sys/block/sda/queue/" + name, "w", encoding="ascii") as f:
            f.write(str(value))
    return "/dev/sda"
