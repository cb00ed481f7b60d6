# SPDX-License-Identifier: GPL-3.0-or-later
"""
Volumes that are rotated as a group, and the moment at which one of them knows that all are prepared
and another does not.
"""
import os
import signal

from bus import MANAGER, PATH, check, wait_until
from service import make_volume, record


class Group:
    """Of volumes with key files; the last may have a pipe instead of one."""

    def __init__(self, daemon, count, piped=False, config=""):
        self.daemon = daemon
        self.fifo = os.path.join(daemon.scratch, "fifo")
        self.shown = []
        for n in range(count):
            volume = make_volume()
            key = volume.keys["0"]
            if piped and n == count - 1:
                os.mkfifo(self.fifo)
                key = self.fifo
            self.shown.append(daemon.add(
                volume, f"Group=g\nKeyProvider=key-file\nKeyFile={key}\nKeyTimeout=300\n{config}"))
            # One after the other, so that the first one here is the first of the group's job.
            daemon.recryptd.send_signal(signal.SIGHUP)
            self.shown[-1].wait_for("idle")

    def rotate(self, *options):
        options = options or (0,)
        return self.daemon.call(PATH, MANAGER, "RotateAll", "a{sv}a{sv}", 1, "Group", "s", "g",
                                *options)[0]

    def wait_for_prepared(self, shown):
        """The manager knows of it, too, and has written that down."""
        for v in shown:
            wait_until(lambda v=v: record(v).get("last", {}).get("outcome") == "running",
                       "it is prepared")
            check(v.volume.state() == "clean", f"its header is {v.volume.state()}")
            check(v.state() == "preparing", f"it is {v.state()}")

    def give_last_key(self):
        last = self.shown[-1].volume
        with open(last.keys["0"], "rb") as key, open(self.fifo, "wb") as fifo:
            fifo.write(key.read())

    def check_taken_back(self):
        for v in self.shown:
            v.wait_for("idle", limit=400)
            v.volume.killed_at_end = True  # the old keyslots stay
            v.check_finished(same_key=True)

    def check_converted(self):
        for v in self.shown:
            wait_until(lambda v=v: v.state() != "unknown", "it is known again")
            v.set_rate(0)
        for v in self.shown:
            v.wait_for("idle")
            v.check_finished()


def held(shown):
    return "held" in record(shown)


def kill_half_let_go(daemon):
    """
    A slow group, the volume of it that knows that all are prepared, and one that does not. All
    workers have gone with the manager.
    """
    group = Group(daemon, 3, piped=True, config="RateLimit=16K\n")
    group.rotate()
    group.wait_for_prepared(group.shown[:2])
    first = next(v for v in group.shown if v.uuid == record(group.shown[0])["held"])
    other = next(v for v in group.shown[:2] if v is not first)
    stopped = other.workers()
    check(len(stopped) == 1, f"workers {stopped}")
    os.kill(stopped[0], signal.SIGSTOP)
    group.give_last_key()
    wait_until(lambda: first.volume.state() != "none" and not held(first), "the first knows")
    daemon.kill()
    daemon.store.clear()
    os.kill(stopped[0], signal.SIGKILL)
    for v in group.shown:
        wait_until(lambda v=v: not v.workers(), "its worker has ended")
    check(held(other), "the stopped one has heard of it")
    # Nobody writes into the pipe a second time.
    os.unlink(group.fifo)
    os.symlink(group.shown[-1].volume.keys["0"], group.fifo)
    return group, first, other
