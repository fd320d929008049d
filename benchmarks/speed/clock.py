"""The clock of every timing: candidates called in alternation, round after round, in one process.

    times = alternate({"scn": scn, "ainet": ainet}, repeats=25)
    times["ainet"].median                      # seconds
    times["ainet"].ratio_to(times["scn"])      # median of the ratios within the rounds

What disturbs one candidate disturbs all, so the ratios hold on a busy machine too.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from ainet.models import Device

Candidate = Callable[[], object]
Now = Callable[[], float]


@dataclass(frozen=True)
class Times:
    """Seconds of the calls of one candidate that count, in the order of the rounds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return float(np.median(self.seconds))

    @property
    def p95(self) -> float:
        return float(np.percentile(self.seconds, 95))

    def ratio_to(self, reference: "Times") -> float:
        """Median ratio of these times to the reference's, over the rounds that both took part in."""
        rounds = min(len(self.seconds), len(reference.seconds))
        return float(np.median(np.divide(self.seconds[:rounds], reference.seconds[:rounds])))

    def in_ms(self) -> dict[str, float]:
        """`median_ms` and `p95_ms`."""
        return {"median_ms": 1e3 * self.median, "p95_ms": 1e3 * self.p95}


def alternate(
    candidates: Mapping[str, Candidate],
    repeats: int | Mapping[str, int],
    *,
    warm_up: int = 1,
    pause: float = 0.0,
    device: str = "cpu",
    on_round: Callable[[int], None] = lambda number: None,
    on_failure: Callable[[str, Exception], None] | None = None,
    now: Now = time.perf_counter,
) -> dict[str, Times]:
    """Call every candidate once a round, and take the time of each call.

    Args:
        candidates: what is timed, by name, in the order of the calls.
        repeats: rounds that count; where they differ by candidate, one with fewer leaves the later rounds out.
        warm_up: rounds before them, which do not count.
        pause: seconds before each call, in which the threads of the candidate before it go to rest.
        device: "cpu", "cuda" or "cuda:N". On a GPU a call has ended once the GPU has done all it was given.
        on_round: told the number of each round; those of the warm-up are 0.
        on_failure: told what a candidate raised, which then takes no further part and has no times; None: the error goes on.
        now: the time in seconds.
    """
    wait = gpu_barrier(device)
    rounds = {name: repeats if isinstance(repeats, int) else repeats[name] for name in candidates}
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(1 - warm_up, max(rounds.values(), default=0) + 1):
        on_round(max(0, number))
        for name in [name for name in seconds if number <= rounds[name]]:
            if pause:
                time.sleep(pause)
            start = now()
            try:
                candidates[name]()
                wait()
            except Exception as error:
                if on_failure is None:
                    raise
                on_failure(name, error)
                del seconds[name]
                continue
            if number > 0:
                seconds[name].append(now() - start)
    return {name: Times(tuple(own)) for name, own in seconds.items()}


@dataclass
class Stages:
    """A stopwatch for the parts of a call: seconds by name, summed up.

    stages = Stages()
    with stages("network"):
        ...
    """

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def gpu_barrier(device: str) -> Callable[[], None]:
    """What waits for all work of a GPU; for the CPU, nothing."""
    if Device.parse(device).gpu is None:
        return lambda: None
    import torch

    return lambda: torch.cuda.synchronize(device)
