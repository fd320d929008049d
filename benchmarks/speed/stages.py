"""Our networks on a GPU, in batches: from photos in host memory to labels there, photos a second, and where the GPU's time goes.

    rows, failures = time_stages({"ainet@cuda": segmenter}, cases, batches=[1, 8, 32], repeats=50, picture=picture)

End to end is the clock around the call that users make. The stages come from calls of their own, with CUDA events between the stages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ainet.benchmarks.speed.cases import Case
from ainet.benchmarks.speed.clock import Candidate, Times, alternate

Row = dict[str, Any]
QUALITY = "fast"  # the plain grid: all of it runs on the GPU
WARM_UP = 10  # rounds, in which graphs are captured and the GPU's clocks rise


@runtime_checkable
class StageClock(Protocol):
    """A backend that tells how long its stages take on the GPU."""

    def record_stages(self) -> None:
        """From now on, put events between the stages."""
        ...

    def stage_times(self) -> dict[str, float]:
        """Milliseconds by stage, summed up since the last call."""
        ...


class Segments(Protocol):
    """What is timed: a `Segmenter`, or what is called like one."""

    @property
    def backend(self) -> Any: ...

    def __call__(self, image: NDArray[np.uint8], n_segments: int, *, quality: str) -> Any: ...


def time_stages(
    segmenters: Mapping[str, Segments], cases: Sequence[Case], batches: Sequence[int], repeats: int, picture: NDArray[np.uint8]
) -> tuple[list[Row], list[Row]]:
    """A row per case, batch and method whose backend is a `StageClock`; and rows of what failed, with the reason.

    picture: RGB (H, W, 3), resized to each case.
    """
    clocks = {name: segmenter.backend for name, segmenter in segmenters.items() if isinstance(segmenter.backend, StageClock)}
    cells = [(case, batch) for case in cases for batch in batches]
    failures: list[Row] = []
    rows: dict[tuple[Case, int, str], Row] = {}
    for case, batch in cells:
        calls: dict[str, Candidate] = {
            name: partial(segmenters[name], batch_of(picture, case, batch), case.n_segments, quality=QUALITY) for name in clocks
        }
        for name, times in _alternate(calls, repeats, case, batch, failures).items():
            rows[case, batch, name] = {
                "method": name,
                **asdict(case),
                "batch": batch,
                "seconds": {"median": times.median, "p95": times.p95},
                "images_per_second": batch / times.median,
            }
    for clock in clocks.values():
        clock.record_stages()
    for case, batch in cells:
        timed = [name for name in clocks if (case, batch, name) in rows]
        seen: dict[str, list[dict[str, float]]] = {name: [] for name in timed}

        def timed_call(name: str, images: NDArray[np.uint8], n_segments: int, seen: dict[str, list[dict[str, float]]] = seen) -> None:
            segmenters[name](images, n_segments, quality=QUALITY)
            seen[name].append(clocks[name].stage_times())

        calls = {name: partial(timed_call, name, batch_of(picture, case, batch), case.n_segments) for name in timed}
        for name in _alternate(calls, repeats, case, batch, failures):
            counted = seen[name][WARM_UP:]
            rows[case, batch, name]["stages_ms"] = {stage: float(np.median([one[stage] for one in counted])) for stage in counted[0]}
    return list(rows.values()), failures


def stage_overview(rows: Sequence[Row]) -> list[Row]:
    """A flat row for each of `time_stages`, for people: times in ms."""
    return [
        {
            "method": row["method"],
            "image": f"{row['width']}x{row['height']}",
            "batch": row["batch"],
            "median_ms": 1e3 * row["seconds"]["median"],
            "p95_ms": 1e3 * row["seconds"]["p95"],
            "images_per_second": row["images_per_second"],
            **row.get("stages_ms", {}),
        }
        for row in rows
    ]


def batch_of(picture: NDArray[np.uint8], case: Case, batch: int) -> NDArray[np.uint8]:
    """(batch, H, W, 3): the picture at the case's size, each image shifted by some rows, so that no two are equal."""
    image = case.picture(picture)
    return np.stack([np.roll(image, 7 * number, axis=0) for number in range(batch)])


def _alternate(calls: Mapping[str, Candidate], repeats: int, case: Case, batch: int, failures: list[Row]) -> dict[str, Times]:
    def failed(name: str, error: Exception) -> None:  # such as for want of memory; the others go on
        failures.append({"method": name, **asdict(case), "batch": batch, "reason": f"{type(error).__name__}: {error}"})

    return alternate(calls, repeats, warm_up=WARM_UP, on_failure=failed)
