"""Time the native post-processing on one core, against scikit-image's connectivity in the same run.

    python -m ainet.benchmarks.speed.postprocessing [--repeats 200] [--json times.json]

The input is synthetic and the same every time: scores of 20 x 30 cells over 320 x 480 pixels, which give a ragged label
map of 321 x 481 pixels, as SLIC or a network gives of a photo. scikit-image (extra `bench`) may be absent.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ainet.benchmarks.speed.machine import machine, versions
from ainet.files import write_json
from ainet.runtime.postprocess import assign, enforce_connectivity, normalise, postprocess
from ainet.spec import CELL_SIZE, MEAN

CELLS = (20, 30)
SIZE = (321, 481)
PEER = "connectivity, scikit-image"
MIN_SIZE, MAX_SIZE = 15, 772  # of the public protocol for 600 superpixels at this size


def synthetic_scores(seed: int = 0) -> NDArray[np.float32]:
    """(1, 9, 320, 480): minus the squared distance to the nine cell centres, in cells, plus noise of several scales."""
    rng = np.random.default_rng(seed)
    h, w = CELLS[0] * CELL_SIZE, CELLS[1] * CELL_SIZE
    y, x = (np.indices((h, w), dtype=np.float32) + 0.5) / CELL_SIZE % 1  # place in the pixel's own cell
    scores = np.empty((1, 9, h, w), np.float32)
    for n in range(9):
        scores[0, n] = -((y - (n // 3 - 0.5)) ** 2) - (x - (n % 3 - 0.5)) ** 2
        for sigma, strength in ((6, 0.6), (2, 0.3), (0.8, 0.15)):
            noise = cv2.GaussianBlur(rng.standard_normal((h, w), dtype=np.float32), (0, 0), sigma)
            scores[0, n] += strength / noise.std() * noise
    return scores


def measure(tasks: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each task. The tasks take turns, so that what disturbs one disturbs all."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def tasks() -> dict[str, Callable[[], object]]:
    """What is timed, by name. A single image at a time: the native code spreads only batches over threads."""
    scores = synthetic_scores()
    labels = assign(scores, *SIZE)[0]
    image = np.random.default_rng(0).integers(0, 256, (1, CELLS[0] * CELL_SIZE, CELLS[1] * CELL_SIZE, 3), dtype=np.uint8)
    timed: dict[str, Callable[[], object]] = {
        "connectivity": lambda: enforce_connectivity(labels, MIN_SIZE, MAX_SIZE),
        "assign": lambda: assign(scores, *SIZE),
        "assign + connectivity": lambda: postprocess(scores, *SIZE, MIN_SIZE, MAX_SIZE),
        "normalise": lambda: normalise(image, MEAN),
    }
    try:
        from skimage.segmentation._slic import _enforce_label_connectivity_cython as peer
    except ImportError:
        return timed
    wide = labels[None].astype(np.int64)  # what it takes; it does not change its input
    return {PEER: lambda: peer(wide, MIN_SIZE, MAX_SIZE, start_label=0), **timed}


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of the native post-processing, as a ratio to scikit-image's connectivity.")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--json", type=Path, help="also write the medians and the machine to this file")
    arguments = parser.parse_args()
    seconds = measure(tasks(), arguments.repeats)
    table = Table("task", "median ms", "scikit-image /", title=f"{SIZE[0]}x{SIZE[1]}, {CELLS[0] * CELLS[1]} cells, one core")
    for name, value in seconds.items():
        table.add_row(name, f"{1e3 * value:.3f}", f"{seconds[PEER] / value:.1f}" if PEER in seconds and name == "connectivity" else "")
    Console().print(table)
    if arguments.json:
        result = {
            "settings": {"threads": 1, "repeats": arguments.repeats},
            "median_ms": {name: 1e3 * value for name, value in seconds.items()},
            "versions": versions(),
            "machine": machine(),
        }
        write_json(arguments.json, result)


if __name__ == "__main__":
    main()
