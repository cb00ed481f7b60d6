# SPDX-License-Identifier: GPL-3.0-or-later
"""What the measurements share."""
import argparse
import os
import re
import subprocess
import sys

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
