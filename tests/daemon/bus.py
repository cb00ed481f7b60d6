# SPDX-License-Identifier: GPL-3.0-or-later
"""
What the tests of the daemon share: a private system bus with our own policy, a recryptd on it, and
busctl to talk to it. No polkit is on that bus, so only the superuser may change anything there.

A test is a function with @test; run() runs them all, or those whose name holds an argument, each on
a bus of its own.
"""
import atexit
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TREE, "tests/offline"))
import slow  # pylint: disable=unused-import,wrong-import-position
from share import some_of  # pylint: disable=wrong-import-position

MIB = 1 << 20
BUILD = os.environ.get("BUILD") or os.path.join(TREE, "build")
RECRYPTD = os.path.join(BUILD, "src/daemon/recryptd")
RECRYPTCTL = os.path.join(BUILD, "src/ctl/recryptctl")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
POLKITD = "/usr/lib/polkit-1/polkitd"
LIMIT = 120  # s: of conditions that come true in a few, on a machine that is busy with other things

NAME = "org.recryptd1"
PATH = "/org/recryptd1"
MANAGER, VOLUME, JOB = (f"org.recryptd1.{x}" for x in ("Manager", "Volume", "Job"))

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={scratch}/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.PolicyKit1"/>
    <allow send_destination="org.freedesktop.login1"/>
    <allow send_destination="org.freedesktop.systemd1"/>
  </policy>
  <policy user="root">
    <allow own="org.freedesktop.PolicyKit1"/>
    <allow own="org.freedesktop.login1"/>
    <allow own="org.freedesktop.systemd1"/>
  </policy>
  <servicedir>{scratch}/services</servicedir>
  <include>{policy}</include>
  <include ignore_missing="yes">/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf</include>
</busconfig>
"""

_tests = []


class Failed(Exception):
    """A check did not hold."""


def check(condition, text):
    if not condition:
        raise Failed(text)


def wait_until(condition, text, limit=LIMIT):
    """The first true value of condition(); Failed after @limit seconds."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"not so after {limit} s: {text}")
        time.sleep(0.02)


class BusError(Exception):
    """What busctl says: the text of the error."""


class Daemon:
    """A bus, and a recryptd on it."""

    def __init__(self, *options, config=""):
        self.scratch = tempfile.mkdtemp(prefix="recryptd-bus-")
        os.chmod(self.scratch, 0o755)
        os.mkdir(os.path.join(self.scratch, "services"))
        self.processes = []
        self.address = f"unix:path={self.scratch}/bus"
        self.environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.address, "LC_ALL": "C",
                            "RECRYPTD_LOW_RATES": "yes"}
        self.options = options
        self.config = os.path.join(self.scratch, "recryptd.conf")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(config)
        self.bus = self._start_bus()
        self.recryptd = None

    def _spawn(self, command, **how):
        p = subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, **how)
        self.processes.append(p)
        return p

    def _start_bus(self):
        path = os.path.join(self.scratch, "bus.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(scratch=self.scratch, policy=os.path.join(
                TREE, "systemd/org.recryptd1.conf")))
        # It complains of limits that only the real one is given.
        with open(os.path.join(self.scratch, "bus.log"), "w", encoding="utf-8") as log:
            bus = self._spawn(["dbus-daemon", "--nofork", f"--config-file={path}"], stderr=log)
        wait_until(lambda: os.path.exists(os.path.join(self.scratch, "bus")), "a bus")
        os.chmod(os.path.join(self.scratch, "bus"), 0o777)
        return bus

    def start_on_demand(self):
        """From here on the bus starts something where recryptd is asked for: it makes this file."""
        path = os.path.join(self.scratch, "started")
        with open(os.path.join(self.scratch, "services", f"{NAME}.service"), "w",
                  encoding="ascii") as f:
            f.write(f"[D-BUS Service]\nName={NAME}\nExec=/usr/bin/touch {path}\nUser=root\n")
        self.call("/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig",
                  to="org.freedesktop.DBus")
        return path

    def start(self):
        with open(os.path.join(self.scratch, "log"), "a", encoding="utf-8") as log:
            self.recryptd = self._spawn(
                [RECRYPTD, f"--config={self.config}", f"--state-directory={self.scratch}/state",
                 "--no-devices", *self.options], stderr=log)
        wait_until(lambda: self.owner() or self.recryptd.poll() is not None, "a recryptd")
        check(self.recryptd.poll() is None, f"recryptd ended: {self.log()}")
        return self

    def start_polkit(self, rules):
        """A polkitd on this bus that knows our actions and these rules, and no others."""
        actions, directory = (os.path.join(self.scratch, d) for d in ("actions", "rules.d"))
        os.mkdir(actions)
        os.mkdir(directory)
        shutil.copy(os.path.join(TREE, "systemd/org.recryptd1.policy"), actions)
        with open(os.path.join(directory, "test.rules"), "w", encoding="ascii") as f:
            f.write(rules)
        with open(os.path.join(self.scratch, "log"), "a", encoding="utf-8") as log:
            p = self._spawn(["unshare", "--mount", "sh", "-euc",
                             f"mount --bind {actions} /usr/share/polkit-1/actions\n"
                             f"mount --bind {directory} /etc/polkit-1/rules.d\n"
                             f"exec {POLKITD} --no-debug"], stdout=log, stderr=log)
        wait_until(lambda: self.owner("org.freedesktop.PolicyKit1") or p.poll() is not None,
                   "a polkitd")
        check(p.poll() is None, f"polkitd ended: {self.log()}")

    def owner(self, name=NAME):
        p = self._busctl("call", "org.freedesktop.DBus", "/org/freedesktop/DBus",
                         "org.freedesktop.DBus", "NameHasOwner", "s", name)
        return p.returncode == 0 and json.loads(p.stdout)["data"][0]

    def log(self):
        with open(os.path.join(self.scratch, "log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def _busctl(self, *arguments, user=()):
        return subprocess.run([*user, "busctl", f"--address={self.address}", "--json=short",
                               "--allow-interactive-authorization=no", f"--timeout={LIMIT}",
                               *map(str, arguments)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env=self.environment, timeout=2 * LIMIT, check=False)

    def call(self, path, interface, member, *arguments, user=(), to=NAME):
        """The values that are returned."""
        p = self._busctl("call", to, path, interface, member, *arguments, user=user)
        if p.returncode != 0:
            raise BusError(p.stderr.strip())
        return json.loads(p.stdout)["data"] if p.stdout.strip() else []

    def get(self, path, interface, member, user=()):
        p = self._busctl("get-property", NAME, path, interface, member, user=user)
        if p.returncode != 0:
            raise BusError(p.stderr.strip())
        return json.loads(p.stdout)["data"]

    def set(self, path, interface, member, signature, value, user=()):
        p = self._busctl("set-property", NAME, path, interface, member, signature, value, user=user)
        if p.returncode != 0:
            raise BusError(p.stderr.strip())

    def refused(self, what, *words):
        """@what is a call that must fail with these words in its text."""
        try:
            what()
        except BusError as e:
            for word in words:
                check(word in str(e), f"\"{word}\" is not in \"{e}\"")
            return
        raise Failed(f"was not refused; {' '.join(words)} expected")

    def ctl(self, *arguments, stdin=b"", user=(), limit=LIMIT):
        return subprocess.run([*user, RECRYPTCTL, *arguments], input=stdin, capture_output=True,
                              env=self.environment, timeout=limit, check=False)

    def begin_ctl(self, *arguments):
        """The process; it says nothing."""
        return subprocess.Popen([RECRYPTCTL, *arguments], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                env=self.environment)

    def restart_bus(self):
        """Takes the bus away from under everybody, and gives a new one."""
        self.bus.kill()
        self.bus.wait()
        os.unlink(os.path.join(self.scratch, "bus"))
        self.bus = self._start_bus()

    def introspect(self, path):
        return self.call(path, "org.freedesktop.DBus.Introspectable", "Introspect")[0]

    def stop(self):
        """SIGTERM, and the end that it must lead to."""
        self.recryptd.send_signal(signal.SIGTERM)
        check(self.recryptd.wait(LIMIT) == 0, f"recryptd ended badly: {self.log()}")

    def _left_behind(self):
        """Processes that know this bus: workers that outlived their manager, and who they asked."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    if f"DBUS_SYSTEM_BUS_ADDRESS={self.address}".encode() in f.read().split(b"\0"):
                        found.append(int(pid))
            except OSError:
                pass  # it has ended
        return found

    def _kill_left_behind(self):
        """A worker that a test has stopped would hold our output, and whoever reads it, for good."""
        for pid in self._left_behind():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not self._left_behind()

    def close(self):
        for p in reversed(self.processes):
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
                try:
                    p.wait(10)
                except subprocess.TimeoutExpired:
                    p.kill()
                    p.wait()
        wait_until(self._kill_left_behind, "all processes have ended")
        shutil.rmtree(self.scratch, ignore_errors=True)


def test(function):
    _tests.append(function)
    return function


def run(*options, config=""):
    if os.geteuid() != 0:
        print("needs root, to be another user too")
        sys.exit(77)
    missing = [p for p in ("dbus-daemon", "busctl", "setpriv") if not shutil.which(p)]
    if missing:
        print(f"needs {', '.join(missing)}")
        sys.exit(77)
    wanted = some_of([t for t in _tests if all(a in t.__name__ for a in sys.argv[1:])])
    failed = 0
    print(f"1..{len(wanted)}")
    for number, t in enumerate(wanted, 1):
        daemon = Daemon(*options, config=config)
        atexit.register(daemon.close)
        try:
            t(daemon.start())
            daemon.stop()
            print(f"ok {number} - {t.__name__}", flush=True)
        except Exception as e:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {number} - {t.__name__}")
            text = str(e) if isinstance(e, Failed) else traceback.format_exc()
            text += f"\nlog of recryptd:\n{daemon.log()}"
            print("".join(f"# {line}\n" for line in text.splitlines()), end="", flush=True)
        daemon.close()
    sys.exit(1 if failed else 0)
