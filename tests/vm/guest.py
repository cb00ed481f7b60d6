# SPDX-License-Identifier: GPL-3.0-or-later
"""What run-uml and run-qemu share: one guest, started, read, limited in time, and cleaned away.

    runner -- starts in a session of its own --> guest kernel -- runs --> SCRIPT
      ^            the script's output, line by line                        |
      +---------------------------------------------------------------------+

A guest reports by files in a private job directory ("console" and "machine": what the kernel
and the emulator say; "exit": the script's exit code). Whatever happens, the whole session is killed
and the job directory removed before the runner returns.
"""
import argparse
import ctypes
import os
import random
import re
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

RC_TIMEOUT = 124
RC_DIED = 125
RC_POWER_CUT = 0

HERE = os.path.dirname(os.path.realpath(__file__))
SRC = os.path.realpath(os.path.join(HERE, '..', '..'))


def build_dir():
    """The build whose programs the guest shall run: $BUILD, or a usual place in the tree."""
    if os.environ.get('BUILD'):
        return os.path.realpath(os.environ['BUILD'])
    for name in ('build', 'build-test'):
        path = os.path.join(SRC, name)
        if os.path.exists(os.path.join(path, 'config.status')):
            return path
    sys.exit('no build directory found: set BUILD')


def cache_dir():
    """For what is costly to make and the same for every run (an unpacked kernel)."""
    path = os.environ.get('RECRYPT_VM_CACHE')
    if not path:
        base = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
        path = os.path.join(base, 'recryptd-vm')
    os.makedirs(path, exist_ok=True)
    return path


class Disk:
    def __init__(self, text):
        self.path, _, self.serial = text.partition(':')
        self.path = os.path.realpath(self.path)
        if not os.path.isfile(self.path):
            raise argparse.ArgumentTypeError(f'no such image: {self.path}')
        if self.serial and not re.fullmatch(r'[A-Za-z0-9_]{1,20}', self.serial):
            raise argparse.ArgumentTypeError(f'not a usable serial: {self.serial}')


def parser(doc):
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument('--disk', action='append', type=Disk, default=[], metavar='FILE[:SERIAL]',
                   help='a disk of the guest: $DISK0, $DISK1, ... and $DISK_SERIAL are its nodes')
    p.add_argument('--timeout', type=float, default=300, metavar='S',
                   help='seconds until the guest counts as hung (exit code 124)')
    p.add_argument('--results', metavar='DIR', help='where what the script left in $RESULTS goes')
    p.add_argument('--modules', default='', help='kernel modules to load, separated by commas')
    p.add_argument('--memory', type=int, default=768, help='MiB of the guest')
    p.add_argument('script')
    p.add_argument('arg', nargs=argparse.REMAINDER)
    return p


def guest_environment(args, disk_nodes):
    """Shell text with the variables that a script finds in every guest."""
    env = {
        'SRC': SRC,
        'BUILD': build_dir(),
        'RESULTS': '/run/guest/results',
        'DM_DISABLE_UDEV': '1',
        'HOME': '/tmp',
        'TMPDIR': '/tmp',
        'LC_ALL': 'C',
        'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    }
    for i, (disk, node) in enumerate(zip(args.disk, disk_nodes)):
        env[f'DISK{i}'] = node
        if disk.serial:
            env[f'DISK_{disk.serial}'] = node
    for name in ('TEST_SEED', 'TEST_LONG', 'TEST_FULL', 'SLOW_SCRIPT'):
        if name in os.environ:
            env[name] = os.environ[name]
    return ''.join(f'export {k}={shlex.quote(v)}\n' for k, v in env.items())


def script_command(args):
    """Shell text that names the script and, quoted once more for eval, its arguments."""
    return (f'GUEST_SCRIPT={shlex.quote(os.path.realpath(args.script))}\n'
            f'GUEST_ARGS={shlex.quote(shlex.join(args.arg))}\n')


def _die_with_parent():
    """The guest ends when its runner is killed. PR_SET_PDEATHSIG is 1, see prctl(2)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def take_cpu():
    """
    Runs this process, and what it starts, on one CPU, while there is one on one that no other guest
    has taken so. Returns what holds it, to be kept.
    """
    cpus = sorted(os.sched_getaffinity(0))
    for cpu in cpus:
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f'\0recryptd-guest-cpu-{cpu}')
        except OSError:
            claim.close()
            continue
        os.sched_setaffinity(0, {cpu})
        return claim
    os.sched_setaffinity(0, {random.choice(cpus)})
    return None


class Guest:
    """One run. Use as a context manager: leaving it kills and removes everything."""

    def __init__(self, args):
        self.args = args
        self.job = tempfile.mkdtemp(prefix='guest.')
        self.proc = None
        self.end = None
        os.mkdir(self.file('results'))

    def file(self, name):
        return os.path.join(self.job, name)

    def __enter__(self):
        for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(s, lambda number, _: sys.exit(128 + number))
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.job, ignore_errors=True)

    def start(self, command, **popen):
        """@command runs in a session of its own."""
        self.proc = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True,
                                     preexec_fn=_die_with_parent, **popen)

    def kill(self):
        """Kills the session and waits until none of it is left."""
        if not self.proc:
            return
        group, end = self.proc.pid, time.monotonic() + 20
        try:
            os.killpg(group, signal.SIGKILL)
            self.proc.wait()
            while time.monotonic() < end:
                os.killpg(group, signal.SIGKILL)
                time.sleep(0.02)
            print(f'warning: process group {group} does not end', file=sys.stderr)
        except ProcessLookupError:
            self.proc.wait()
        self.proc = None

    def follow(self, fd, on_line=None):
        """Copies what the script writes (read from @fd) to stdout until the guest ends.

        @on_line sees each whole line; when it returns true the guest is killed on the spot.
        Returns 'ended', 'timeout' or 'cut'. The time of a guest that is started again goes on.
        """
        self.end = end = self.end or time.monotonic() + self.args.timeout
        pending = b''
        with selectors.DefaultSelector() as wait:
            wait.register(fd, selectors.EVENT_READ)
            while True:
                left = end - time.monotonic()
                if left <= 0:
                    return 'timeout'
                if not wait.select(min(left, 0.5)):
                    if self.proc.poll() is not None:
                        return 'ended'
                    continue
                data = os.read(fd, 1 << 16)
                if not data:
                    break
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
                *lines, pending = (pending + data).split(b'\n')
                for line in lines:
                    if on_line and on_line(line.decode(errors='replace').rstrip('\r')):
                        self.kill()
                        return 'cut'
        try:
            self.proc.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            return 'timeout'
        return 'ended'

    def finish(self, how):
        """Kills what is left, collects the results, returns the runner's exit code."""
        self.kill()
        if self.args.results:
            shutil.copytree(self.file('results'), self.args.results, dirs_exist_ok=True)
        if how == 'cut':
            return RC_POWER_CUT
        if how == 'timeout':
            rc, why = RC_TIMEOUT, f'no end within {self.args.timeout:g} s'
        else:
            try:
                with open(self.file('exit'), encoding='ascii') as f:
                    return int(f.read())
            except (OSError, ValueError):
                rc, why = RC_DIED, 'the guest died'
        print(f'{os.path.basename(sys.argv[0])}: {why}; what it last said:', file=sys.stderr)
        for name in ('machine', 'console'):
            if os.path.exists(self.file(name)):
                with open(self.file(name), errors='replace', encoding='utf-8') as f:
                    sys.stderr.write(''.join(f.readlines()[-30:]))
        return rc
