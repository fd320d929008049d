"""The table of latencies: what `ainet.segment` takes beside the methods that people use, on one thread and on two, at three sizes.

    result = latency_table(picture)

600 superpixels throughout. At each number of threads and size all methods alternate (`clock`) after a first call that does not count. A
method takes part in as many rounds as fit into `BUDGET`, at least two; one whose first call takes over `LIMIT` is left out with its time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.benchmarks.peers import Method, Options, open_methods
from ainet.benchmarks.speed.cases import Case
from ainet.benchmarks.speed.clock import alternate
from ainet.benchmarks.speed.latency import PAUSE

OURS = tuple(
    f"{network}@openvino{precision}{count}"
    for network, precision in (("ainet", ""), ("ainet", "+fp32"), ("ainet-lite", ""), ("scn", ""))
    for count in ("", "+best")
)
METHODS = (*OURS, "slic-cv", "slico", "seeds", "lsc", "slic", "fast-slic", "snic")
REFERENCE = "slic-cv"
SUPERPIXELS = 600
CASES = tuple(Case(height, width, SUPERPIXELS) for height, width in ((321, 481), (1080, 1920), (3000, 4000)))
THREADS = (1, 2)
REPEATS = 15
LEAST = 2
BUDGET = 6.0  # seconds of a method at one size
LIMIT = 10.0  # seconds


def latency_table(
    picture: NDArray[np.uint8],
    methods: Sequence[str] = METHODS,
    cases: Sequence[Case] = CASES,
    threads: Sequence[int] = THREADS,
    repeats: int = REPEATS,
    progress: Callable[[str], None] = lambda line: None,
    on_skip: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Time methods on RGB `picture`, resized to the size of each case.

    Returns:
        Settings; `methods` with their parameters; a row for each method, case and number of threads, times in seconds, `ratio` to OpenCV's
        SLIC in the same rounds; `left_out`, what takes too long; `skipped`, what is not installed, with the reason.

    Raises:
        DeviceError: no method is installed.
    """
    rows: list[dict[str, Any]] = []
    left_out: list[dict[str, Any]] = []
    parameters: dict[str, Any] = {}
    skipped: dict[str, str] = {}
    for count in threads:
        opened, skipped = open_methods(methods, Options(threads=count))
        parameters = {name: dict(method.parameters) for name, method in opened.items()}
        for case in cases:
            progress(f"{case}, {count} threads")
            timed, slow = _time(opened, case, case.picture(picture), repeats)
            rows += [{"threads": count, **row} for row in timed]
            left_out += [{"method": name, "threads": count, **asdict(case), "seconds": seconds} for name, seconds in slow.items()]
    for line in skipped.values():
        on_skip(line)
    settings = {"threads": list(threads), "repeats": repeats, "budget_s": BUDGET, "limit_s": LIMIT, "pause_s": PAUSE}
    return {"settings": settings, "methods": parameters, "rows": rows, "left_out": left_out, "skipped": skipped}


def _time(
    methods: Mapping[str, Method], case: Case, image: NDArray[np.uint8], repeats: int
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """A row per method; and the seconds of the first call, which makes ready for the size, of those that take too long."""
    superpixels: dict[str, int] = {}

    def call(name: str) -> None:
        superpixels[name] = int(methods[name](image, case.n_segments).max()) + 1

    candidates = {name: partial(call, name) for name in methods}
    first = {name: own.median for name, own in alternate(candidates, 1, warm_up=0).items()}
    slow = {name: seconds for name, seconds in first.items() if seconds > LIMIT}
    for name in slow:
        del candidates[name]
    rounds = {name: min(repeats, max(LEAST, int(BUDGET / seconds))) for name, seconds in first.items()}
    times = alternate(candidates, rounds, warm_up=0, pause=PAUSE)
    rows = [
        {
            "method": name,
            **asdict(case),
            "superpixels": superpixels[name],
            "repeats": rounds[name],
            "seconds": {"median": own.median, "p95": own.p95},
            "ratio": own.ratio_to(times[REFERENCE]) if REFERENCE in times else None,
        }
        for name, own in times.items()
    ]
    return rows, slow


def overview(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A flat row per method, case and number of threads, for people: times in ms."""
    return [
        {
            "method": row["method"],
            "image": f"{row['width']}x{row['height']}",
            "threads": row["threads"],
            "superpixels": row["superpixels"],
            "median_ms": 1e3 * row["seconds"]["median"],
            "p95_ms": 1e3 * row["seconds"]["p95"],
            f"/ {REFERENCE}": row["ratio"],
        }
        for row in result["rows"]
    ]
