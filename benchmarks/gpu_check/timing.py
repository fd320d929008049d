"""Repeating and summing up: actions that take turns, and percentiles."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

WARM_UP = (2, 10, 0.3)  # rounds at least, rounds at most, seconds
LEAST, MOST = 10, 500  # counted rounds
PERCENTILES = (50, 95, 99)


def take_turns(actions: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    """Call all actions in turn, round after round, for about `seconds`; seconds of the calls of the counted rounds.

    Not counted are the first rounds, in which graphs are captured and clocks rise (`WARM_UP`).
    """
    _rounds(actions, *WARM_UP)
    return _rounds(actions, LEAST, MOST, seconds)


def _rounds(actions: Mapping[str, Callable[[], object]], least: int, most: int, seconds: float) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in actions}
    end = time.perf_counter() + seconds
    for number in range(most):
        if number >= least and time.perf_counter() >= end:
            break
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            times[name].append(time.perf_counter() - start)
    return times


def summary(milliseconds: Sequence[float]) -> dict[str, Any]:
    """p50, p95, p99 in ms, and the number of runs."""
    values = np.percentile(milliseconds, PERCENTILES).tolist()
    return {**{f"p{percentile}": value for percentile, value in zip(PERCENTILES, values, strict=True)}, "runs": len(milliseconds)}


def ratio(values: Sequence[float], references: Sequence[float]) -> float:
    """Median of the ratios within the rounds, so that what disturbs a round disturbs both."""
    return float(np.median(np.divide(values, references)))
