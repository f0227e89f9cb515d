"""Peers that are timed side by side, each in a process of its own.

A peer is a function without arguments that builds a workload and returns its step, a
function that runs once and returns a number. Rounds of the peers alternate, so that a
busy moment of the machine hits all of them, and no peer shares a thread pool with
another.
"""

from __future__ import annotations

import importlib
import multiprocessing
import statistics
import sys
import time
import traceback
from dataclasses import dataclass, field

import numpy as np

CHECKED_STEPS = 5
PAUSE = 0.1  # seconds between turns: idle threads of BLAS keep a core busy for 0.03


@dataclass
class Timing:
    """What was measured of one peer."""

    name: str
    seconds: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    problem: str = ""
    megabytes: float = float("nan")

    @property
    def median(self):
        """Median seconds of a step over the rounds."""
        return statistics.median(self.seconds)

    @property
    def spread(self):
        """Half the distance between the quartiles, in seconds."""
        low, _, high = statistics.quantiles(self.seconds, n=4)
        return (high - low) / 2


def time_side_by_side(peers, rounds=15, seconds_per_round=0.3, rtol=1e-3, pause=PAUSE):
    """Time peers in alternating rounds, after checking that they compute the same.

    `peers` maps a name to "module:function:argument:...". A peer whose packages are
    missing is listed with its problem and left out.
    """
    context = multiprocessing.get_context("spawn")
    timings, lines = {}, {}
    for name, target in peers.items():
        line, far_end = context.Pipe()
        process = context.Process(target=_serve, args=(target, far_end), daemon=True)
        process.start()
        timings[name] = Timing(name)
        answer = line.recv()
        if isinstance(answer, str):
            timings[name].problem = answer
            process.join()
        else:
            timings[name].values = answer
            lines[name] = line
    _check_equal([timings[name] for name in lines], rtol)
    counts = {
        name: max(1, round(seconds_per_round / _ask(line, 3)))
        for name, line in lines.items()
    }
    for _ in range(rounds):
        for name, line in lines.items():
            time.sleep(pause)
            timings[name].seconds.append(_ask(line, counts[name]))
    for name, line in lines.items():
        line.send(None)
        timings[name].megabytes = line.recv()
    return list(timings.values())


def time_in_turns(steps, rounds=7, seconds_per_round=0.1, rtol=1e-3, pause=PAUSE):
    """Time steps of this process in alternating rounds, as :func:`time_side_by_side`.

    For many small problems, where starting processes would take most of the time.
    `steps` maps a name to a function, or to a text that says why there is none.
    """
    timings = [
        Timing(name, problem=step if isinstance(step, str) else "")
        for name, step in steps.items()
    ]
    there = [each for each in timings if not each.problem]
    counts = {}
    for timing in there:
        step = steps[timing.name]
        timing.values = [float(step()) for _ in range(CHECKED_STEPS)]
        counts[timing.name] = max(1, round(seconds_per_round / _time(step, 3)))
    _check_equal(there, rtol)
    for _ in range(rounds):
        for timing in there:
            time.sleep(pause)
            step = steps[timing.name]
            step()  # wakes the threads
            timing.seconds.append(_time(step, counts[timing.name]))
    return timings


def _time(step, count):
    start = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - start) / count


def _serve(target, line):
    """Build the peer, send its first values, then time steps on demand."""
    module, function, *arguments = target.split(":")
    try:
        step = getattr(importlib.import_module(module), function)(*arguments)
        line.send([float(step()) for _ in range(CHECKED_STEPS)])
    except ImportError as error:
        line.send(f"not installed ({error.name or error})")
        return
    except Exception:
        line.send(traceback.format_exc(limit=3))
        return
    while (count := line.recv()) is not None:
        step()  # wakes the threads
        line.send(_time(step, count))
    line.send(_peak_megabytes())


def _peak_megabytes():
    try:
        import resource
    except ImportError:  # on Windows
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def _ask(line, count):
    line.send(count)
    return line.recv()


def _check_equal(timings, rtol):
    for timing in timings[1:]:
        if not np.allclose(timing.values, timings[0].values, rtol=rtol):
            raise SystemExit(
                f"{timing.name} computes {timing.values}, but {timings[0].name} "
                f"computes {timings[0].values}: nothing was timed."
            )


def table(timings, reference):
    """Format timings, with ratios to the peer called `reference`."""
    base = next(each for each in timings if each.name == reference)
    lines = [f"{'':34}{'ms a step':>12}{'+-':>8}{'ratio':>8}"]
    for each in timings:
        if each.problem:
            lines.append(f"{each.name:34}{each.problem:>28}")
            continue
        ratio = f"{each.median / base.median:8.2f}" if not base.problem else ""
        lines.append(
            f"{each.name:34}{1e3 * each.median:12.2f}{1e3 * each.spread:8.2f}{ratio}"
        )
    return "\n".join(lines)
