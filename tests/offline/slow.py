# SPDX-License-Identifier: GPL-3.0-or-later
"""
With SLOW_SCRIPT=SEED in the environment a test is as slow as on a machine that is busy with other
things: it sleeps 1 to 3 s before about one of 25 of its actions (a program or a signal, a file that
is written or renamed, a connection), and what it started goes on meanwhile. Whatever fails then
believed that work in progress would wait for it. Without the variable nothing is changed.
"""
import os
import random
import sys
import time

ONE_OF = 25
ACTIONS = ("subprocess.Popen", "os.kill", "os.rename", "os.remove", "socket.connect")


def _is_action(event, arguments):
    if event == "open":
        path, mode, _ = arguments
        return isinstance(path, str) and mode is not None and any(m in mode for m in "wa+")
    return event in ACTIONS


def _begin(seed):
    rng = random.Random(seed)

    def hook(event, arguments):
        if _is_action(event, arguments) and rng.randrange(ONE_OF) == 0:
            time.sleep(rng.uniform(1, 3))
    sys.addaudithook(hook)
    print(f"# SLOW_SCRIPT={seed}", file=sys.stderr, flush=True)


if os.environ.get("SLOW_SCRIPT"):
    _begin(os.environ["SLOW_SCRIPT"])
