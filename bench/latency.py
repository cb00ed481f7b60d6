# SPDX-License-Identifier: GPL-3.0-or-later
"""
Figures of a run's requests. One is (moment, latency): seconds from the start of the re-encryption to
when it was issued, and how long it took.
"""
import math

QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "p99.99": 0.9999, "max": 1.0}


def quantiles(latencies):
    """The nearest rank upwards: a value that was measured, and none between two."""
    ordered = sorted(latencies)
    return {name: ordered[max(math.ceil(q * len(ordered)) - 1, 0)] for name, q in QUANTILES.items()}


def when_due(latencies, interval):
    """
    A client that waits issues nothing, so that a stall of seconds is one slow request among many
    fast ones. Here with those that were due meanwhile, each of which would have waited for what was
    left of the stall: what HdrHistogram calls corrected for coordinated omission.
    """
    corrected = list(latencies)
    for latency in latencies:
        corrected += [latency - n * interval for n in range(1, math.ceil(latency / interval))]
    return corrected


def figures(requests, seconds, rate, clients):
    """@rate: requests per second that all the @clients shall make."""
    latencies = [latency for _, latency in requests]
    # What was under way at the end counts for its latency, and not for the throughput.
    ended = sum(1 for moment, latency in requests if moment + latency <= seconds)
    return {"requests": len(requests), "latency": quantiles(latencies),
            "due": quantiles(when_due(latencies, clients / rate)), "kept": ended / seconds / rate}
