# SPDX-License-Identifier: GPL-3.0-or-later
"""
The programs of the version before, built from the history of the tree, and programs of two versions
mixed as an upgrade mixes them. A test that needs them is skipped where there is no history, as in a
tarball.
"""
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile

from bus import BUILD, TREE, check

# The last commit that was delivered. Whoever delivers another one names it here.
VERSION_BEFORE = "faed354bc1fcd2785fc4590bdb86b3be8a3450f8"
MANAGER, WORKER, CTL = "src/daemon/recryptd", "src/worker/recrypt-worker", "src/ctl/recryptctl"


class Programs:
    """One build's. A program finds the others of its build beside it."""

    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        self.recryptd, self.worker, self.recryptctl = (
            os.path.join(directory, each) for each in (MANAGER, WORKER, CTL))

    def version(self):
        return subprocess.run([self.recryptd, "--version"], stdout=subprocess.PIPE, text=True,
                              check=True).stdout.split()[1]


NEW = Programs(BUILD, "new")


def mixed(directory, manager, worker):
    """The manager of one build with the worker of another, put into @directory."""
    result = Programs(directory, f"{manager.name} manager, {worker.name} worker")
    for source, target in ((manager.recryptd, result.recryptd), (worker.worker, result.worker),
                           (manager.recryptctl, result.recryptctl)):
        os.makedirs(os.path.dirname(target))
        shutil.copy(source, target)
    return result


def other_version(directory, programs):
    """A copy in @directory whose workers say that they are of another version of the program."""
    result = mixed(directory, programs, programs)
    version = programs.version().encode()
    with open(result.worker, "r+b") as f:
        program = f.read()
        changed = program.replace(version + b"\0", b"x" * len(version) + b"\0")
        check(changed != program, f"no {version} in the worker")
        f.seek(0)
        f.write(changed)
    return result


def git(*arguments, **how):
    return subprocess.run(["git", "-c", f"safe.directory={TREE}", "-C", TREE, *arguments],
                          check=False, **how)


def _skip_without_history():
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if not shutil.which("git") or git("cat-file", "-e", VERSION_BEFORE, **quiet).returncode != 0:
        print(f"no history here that has {VERSION_BEFORE}: the version before cannot be built")
        sys.exit(77)


def _build(directory, version):
    """
    Only the programs, for what they do and not how fast. Both builds get one version number: a
    manager keeps only the workers that have its own.
    """
    source = os.path.join(directory, "source")
    os.mkdir(source)
    with subprocess.Popen(["tar", "-x", "-C", source], stdin=subprocess.PIPE) as tar:
        check(git("archive", VERSION_BEFORE, stdout=tar.stdin).returncode == 0, "git archive failed")
        tar.stdin.close()
    configure = os.path.join(source, "configure.ac")
    with open(configure, encoding="utf-8") as f:
        text = f.read()
    with open(configure, "w", encoding="utf-8") as f:
        f.write(re.sub(r"^AC_INIT\(\[recryptd\], \[.*\]\)$", f"AC_INIT([recryptd], [{version}])",
                       text, flags=re.M))
    with open(os.path.join(directory, "log"), "w+", encoding="utf-8") as log:
        for command, where in ((["autoreconf", "-i"], source),
                               ([os.path.join(source, "configure"), "CFLAGS=-O0"], directory),
                               (["make", "-s", "-j2", MANAGER, WORKER, CTL], directory)):
            code = subprocess.run(command, cwd=where, stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=subprocess.STDOUT, check=False).returncode
            if code != 0:
                log.seek(0)
                print(f"{log.read()}\n{VERSION_BEFORE} cannot be built: {' '.join(command)}: {code}")
                sys.exit(1)


def old_programs():
    """Built at the first call, and kept in the build directory."""
    _skip_without_history()
    version = NEW.version()
    parent = os.path.join(BUILD, "version-before")
    os.makedirs(parent, exist_ok=True)
    directory = os.path.join(parent, f"{VERSION_BEFORE[:12]}-as-{version}")
    with open(os.path.join(parent, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(directory):
            unfinished = tempfile.mkdtemp(dir=parent)
            _build(unfinished, version)
            os.rename(unfinished, directory)
    return Programs(directory, "old")
