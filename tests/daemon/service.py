# SPDX-License-Identifier: GPL-3.0-or-later
"""
What systemd is to the daemon, for tests without it: a notify socket with an fd store, and starts
that hand the store's descriptors over. Volumes are image files with a known plaintext.
"""
import array
import os
import select
import signal
import socket
import subprocess
import threading
from uuid import uuid4

import bus
from bus import LIMIT, VOLUME, JOB, BusError, Daemon, Failed, check, wait_until
from lab import luks2, make_volume  # pylint: disable=unused-import

AS_CONFIGURED = (1 << 64) - 1  # in place of a rate
LISTEN_FDS_START = 3
OUT_OF_THE_WAY = 200


class Store:
    """The notify socket, and what was stored through it."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.fds = []  # (name, fd)
        self.status, self.ready = "", False
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            fds = array.array("i")
            # Inherited by another program they would keep a worker from hearing that its manager is gone.
            data, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(64 * 4),
                                                        socket.MSG_CMSG_CLOEXEC)
            for level, kind, payload in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds.frombytes(payload)
            lines = dict(line.split("=", 1) for line in data.decode().splitlines() if "=" in line)
            with self.lock:
                self._take(lines, list(fds))

    def _take(self, lines, fds):
        name = lines.get("FDNAME", "")
        self.status = lines.get("STATUS", self.status)
        self.ready = self.ready or "READY" in lines
        if "FDSTOREREMOVE" in lines:
            for _, fd in [f for f in self.fds if f[0] == name]:
                os.close(fd)
            self.fds = [f for f in self.fds if f[0] != name]
        if "FDSTORE" in lines:
            self.fds += [(name, fd) for fd in fds]
        else:
            for fd in fds:
                os.close(fd)

    def _drop_dead(self):
        """As systemd does with a descriptor whose other end has hung up."""
        poll = select.poll()
        for _, fd in self.fds:
            poll.register(fd, 0)
        for fd, _ in poll.poll(0):
            os.close(fd)
            self.fds = [f for f in self.fds if f[1] != fd]

    def names(self):
        with self.lock:
            self._drop_dead()
            return sorted(name for name, _ in self.fds)

    def copies(self):
        """Names, and descriptors of the caller's own: those here may be closed at any time."""
        with self.lock:
            self._drop_dead()
            return [name for name, _ in self.fds], [os.dup(fd) for _, fd in self.fds]

    def clear(self):
        with self.lock:
            for _, fd in self.fds:
                os.close(fd)
            self.fds = []


def hand_over(fds):
    """In the child: the descriptors become 3, 4, ..."""
    high = [(os.dup2(fd, OUT_OF_THE_WAY + i), OUT_OF_THE_WAY + i)[1] for i, fd in enumerate(fds)]
    for i, fd in enumerate(high):
        os.dup2(fd, LISTEN_FDS_START + i)
        os.close(fd)


class Service(Daemon):
    """A recryptd under a service manager."""

    def __init__(self, *options, config=""):
        super().__init__(*options, config=config)
        self.store = Store(os.path.join(self.scratch, "notify"))
        self.volumes = []
        self.devices = False  # look for volumes: only with DiscoverActive=no beside a live system
        self.under = ()  # a command that becomes recryptd, such as strace -D

    def start(self):
        names, fds = self.store.copies()
        self.store.ready = False
        environment = {**self.environment, "NOTIFY_SOCKET": self.store.path}
        if fds:
            environment["LISTEN_FDS"] = str(len(fds))
            environment["LISTEN_FDNAMES"] = ":".join(names)
        if "strace" in self.under:  # the leak sanitizer cannot work under it, and aborts
            options = environment.get("ASAN_OPTIONS", "")
            environment["ASAN_OPTIONS"] = options + ":detect_leaks=0"
        with open(os.path.join(self.scratch, "log"), "a", encoding="utf-8") as log:
            self.recryptd = subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn
                ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *self.under, bus.RECRYPTD,
                 f"--config={self.config}", f"--state-directory={self.scratch}/state",
                 *(() if self.devices else ("--no-devices",)), *self.options],
                env=environment, stdin=subprocess.DEVNULL, stderr=log, close_fds=False,
                preexec_fn=lambda: hand_over(fds))
        for fd in fds:
            os.close(fd)
        self.processes.append(self.recryptd)
        wait_until(lambda: (self.owner() and self.store.ready) or
                   self.recryptd.poll() is not None, f"a recryptd ({names})")
        check(self.recryptd.poll() is None, f"recryptd ended: {self.log()}")
        return self

    def kill(self):
        self.recryptd.send_signal(signal.SIGKILL)
        self.recryptd.wait()

    def add(self, volume, config=""):
        """
        Names a volume in the configuration, under a UUID of its own: the lock that cryptsetup takes
        is by UUID, for the whole machine.
        """
        uuid = str(uuid4())
        subprocess.run(["cryptsetup", "luksUUID", "-q", "--uuid", uuid, volume.path], check=True,
                       capture_output=True)
        with open(self.config, "a", encoding="utf-8") as f:
            f.write(f"[Volume {uuid}]\nDevice={volume.path}\n{config}\n")
        shown = Shown(self, volume, uuid)
        self.volumes.append(shown)
        return shown

    def close(self):
        self.store.clear()
        super().close()


class Shown:
    """A volume as the bus shows it."""

    def __init__(self, daemon, volume, uuid):
        self.daemon, self.volume, self.uuid = daemon, volume, uuid
        self.path = f"{bus.PATH}/volume/{uuid.replace('-', '_')}"

    def get(self, name):
        return self.daemon.get(self.path, VOLUME, name)

    def state(self):
        try:
            return self.get("State")
        except BusError:
            return "unknown"

    def call(self, method, *arguments):
        return self.daemon.call(self.path, VOLUME, method, *arguments)

    def set_rate(self, rate):
        """Bytes per second; 0: as fast as it can."""
        self.call("SetRateLimit", "ta{sv}", rate, 0)

    def hold(self):
        """From here on a hotzone takes hours, in either direction; suspended or stopped it ends."""
        self.set_rate(1)

    def rotate(self, *options):
        """The path of the job."""
        return self.call("Rotate", "a{sv}", *(options or (0,)))[0]

    def wait_for(self, *states, limit=LIMIT):
        try:
            wait_until(lambda: self.state() in states, " or ".join(states), limit)
        except Failed as e:
            raise Failed(f"{e}; it is {self.state()} ({self.reason()})") from e

    def reason(self):
        try:
            return self.get("StateReason")
        except BusError as e:
            return str(e)

    def workers(self):
        """Process ids."""
        found = subprocess.run(["pgrep", "-f", f"recrypt-worker serve .*{self.volume.path}$"],
                               capture_output=True, text=True, check=False)
        return [int(pid) for pid in found.stdout.split()]

    def finish_unseen(self, worker):
        """
        A rotation that only the host's rate limits, and whose @worker is stopped, comes to its end.
        The manager has not heard of that, and is itself stopped when this returns.
        """
        self.daemon.set(bus.PATH, bus.MANAGER, "RateLimit", "t", 0)
        self.state()  # who answers this has told the worker of that
        self.daemon.recryptd.send_signal(signal.SIGSTOP)
        os.kill(worker, signal.SIGCONT)
        wait_until(lambda: self.volume.state() == "none", "the end of the conversion")

    def check_finished(self, **how):
        """Its worker has written the last record and gone, and the volume is as it should be."""
        wait_until(lambda: not self.workers(), "no worker is left")
        self.volume.check_finished(**how)

    def unlock(self, passphrase):
        p = self.daemon.ctl("unlock", self.uuid, "--key-file", "-", stdin=passphrase.encode())
        if p.returncode != 0:
            raise BusError(p.stderr.decode().strip())


def begun(daemon, config="RateLimit=16K\n"):
    """A volume on its way, at a rate that takes minutes. Nobody but us has its passphrase."""
    v = daemon.add(make_volume(), config)
    daemon.recryptd.send_signal(signal.SIGHUP)
    v.wait_for("idle")
    job = v.rotate()
    v.wait_for("locked")
    v.unlock("first passphrase")
    progress(v)
    return v, job


def progress(v, limit=LIMIT):
    """It runs, and what is done grows."""
    v.wait_for("running", limit=limit)
    done = v.get("BytesDone")
    wait_until(lambda: v.get("BytesDone") > done, "progress", limit)


def record(shown):
    """What the header remembers."""
    tokens = shown.volume.metadata()["tokens"].values()
    return next((t for t in tokens if t["type"] == "recryptd"), {})


def job_state(daemon, path):
    return daemon.get(path, JOB, "State")


def wait_for_job(daemon, path, *states, limit=LIMIT):
    try:
        wait_until(lambda: job_state(daemon, path) in states, " or ".join(states), limit)
    except Failed as e:
        raise Failed(f"{e}; {path} is {job_state(daemon, path)}") from e


def states_at_once(daemon):
    """Of all volumes, at one moment."""
    objects = daemon.call("/org/recryptd1", "org.freedesktop.DBus.ObjectManager",
                          "GetManagedObjects")[0]
    return [o[VOLUME]["State"]["data"] for o in objects.values() if VOLUME in o]


def run():
    bus.Daemon = Service
    bus.run()
