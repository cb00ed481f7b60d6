# SPDX-License-Identifier: GPL-3.0-or-later
"""
With SCENARIO_SHARE=N in the environment a test runs one in N of its scenarios, which SCENARIO_SEED
chooses: what they do has been seen in another build, and here it is only looked on.
"""
import os
import random


def some_of(scenarios):
    """In their order; all of them without the variable."""
    share = int(os.environ.get("SCENARIO_SHARE") or 1)
    if share <= 1 or not scenarios:
        return scenarios
    seed = int(os.environ.get("SCENARIO_SEED") or random.SystemRandom().randrange(1 << 32))
    count = -(-len(scenarios) // share)
    chosen = sorted(random.Random(seed).sample(range(len(scenarios)), count))
    print(f"# {count} of {len(scenarios)} scenarios (SCENARIO_SHARE={share} SCENARIO_SEED={seed})",
          flush=True)
    return [scenarios[n] for n in chosen]
