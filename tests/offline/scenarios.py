# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenarios: functions with @scenario, of which run() runs all, or those of the command line."""
import faulthandler
import os
import random
import re
import signal
import sys
import time
import traceback

import slow  # pylint: disable=unused-import
from share import some_of

SEED = int(os.environ.get("OFFLINE_SEED") or random.SystemRandom().randrange(1 << 32))


class Failed(Exception):
    """A check did not hold."""


class Skipped(Exception):
    """The machine has not what the scenario needs."""


def check(condition, text):
    if not condition:
        raise Failed(text)


_scenarios = []


def scenario(function=None, **variants):
    """
    Registers a scenario; with variants, e.g. resilience=("checksum", "journal"), once for each
    value of the keyword (for each combination of several).
    """
    def register(f):
        cases = [{}]
        for name, values in variants.items():
            cases = [dict(case, **{name: value}) for case in cases for value in values]
        for case in cases:
            label = " ".join([f.__name__.replace("_", " ")] +
                             [f"[{n} {re.sub(r'[^A-Za-z0-9:>/-]+', ' ', str(v)).strip()}]"
                              for n, v in case.items()])
            _scenarios.append((label, f, case))
        return f
    return register(function) if function else register


def run():
    """
    Prints TAP; exits 0 when all passed, 1 when one failed, 77 when none failed but one could not be
    run.
    """
    # So that loop devices and files go when the program is told to.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    faulthandler.enable()
    wanted = " ".join(sys.argv[1:])
    scenarios = [s for s in _scenarios if wanted in s[0]]
    if not scenarios:
        sys.exit(f"no scenario is called {wanted!r}")
    scenarios = some_of(scenarios)
    print(f"# seed {SEED} (repeat with OFFLINE_SEED={SEED})\n1..{len(scenarios)}", flush=True)
    bad = skipped = 0
    for number, (label, function, case) in enumerate(scenarios, 1):
        begin, verdict, note, details = time.monotonic(), "ok", "", ""
        try:
            function(**case)
        except Skipped as e:
            note, skipped = f" # SKIP {e}", skipped + 1
        except Failed as e:
            verdict, details, bad = "not ok", str(e), bad + 1
        except Exception:  # a defect of the scenario itself must not hide the others
            verdict, details, bad = "not ok", traceback.format_exc(), bad + 1
        seconds = time.monotonic() - begin
        print(f"{verdict} {number} - {label} ({seconds:.1f} s){note}", flush=True)
        for line in details.splitlines():
            print(f"#   {line}", flush=True)
    sys.exit(1 if bad else 77 if skipped else 0)
