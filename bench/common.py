# SPDX-License-Identifier: GPL-3.0-or-later
"""What the measurements share."""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

MIB = 1 << 20
TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# No PBKDF cost: what is compared is the conversion, not the keyslots.
FAST_PBKDF = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"]


def parse_size(text):
    match = re.fullmatch(r"(\d+)([KMGT]?)", text.upper())
    if not match:
        raise argparse.ArgumentTypeError(f"not a size: {text}")
    return int(match[1]) << 10 * " KMGT".index(match[2] or " ")


def run(command, **how):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def measured(command, env=None):
    """Wall seconds, CPU seconds and peak resident bytes of @command, its children not counted."""
    with tempfile.TemporaryFile("w+") as output:
        begin = time.monotonic()
        with open(os.devnull, "rb") as nothing:
            process = subprocess.Popen(command, stdin=nothing, stdout=output,
                                       stderr=subprocess.STDOUT, env=env)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            sys.exit(f"{' '.join(command)}: exit code {process.returncode}\n{output.read()}")
    return {"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "peak_bytes": usage.ru_maxrss * 1024}


def key_identity(device):
    """Salt and digest of the volume key; a run must have changed it, and ended."""
    dump = run(["cryptsetup", "luksDump", device])
    if "online-reencrypt" in dump:
        sys.exit(f"the re-encryption of {device} was not ended")
    return dump[dump.index("Digests:"):]


def build_dir():
    near = [os.path.join(TREE, name) for name in os.listdir(TREE)] + [os.getcwd()]
    built = [d for d in near if os.path.exists(os.path.join(d, "src/ctl/recryptctl"))]
    if not built:
        sys.exit("no build directory with src/ctl/recryptctl found: use --build")
    return max(built, key=lambda d: os.path.getmtime(os.path.join(d, "src/ctl/recryptctl")))
