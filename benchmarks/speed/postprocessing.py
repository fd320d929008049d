"""The native steps around the network on one core, against scikit-image's connectivity in the same run.

    result = postprocessing(repeats=200)

The input is synthetic and the same every time: scores of 20 x 30 cells over 320 x 480 pixels, which give a ragged label
map of 321 x 481 pixels, as SLIC or a network gives of a photo. scikit-image (extra `bench`) may be absent.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.benchmarks.speed.clock import Candidate, alternate
from ainet.runtime.plan import COMPACT, INTERPOLATED
from ainet.runtime.postprocess import assign, enforce_connectivity, network_planes, postprocess
from ainet.runtime.resampling import resize_tables
from ainet.spec import CELL_SIZE, MEAN

CELLS = (20, 30)
SIZE = (321, 481)
PEER = "connectivity, scikit-image"
BOUNDS = MIN_SIZE, MAX_SIZE = 15, 772  # of the public protocol for 600 superpixels at this size


def postprocessing(repeats: int) -> dict[str, Any]:
    """`settings`; `median_ms` of each task; `ratio`: of scikit-image's connectivity to ours, where it is installed."""
    times = alternate(tasks(), repeats)
    ratio = times[PEER].ratio_to(times["connectivity"]) if PEER in times else None
    settings = {"threads": 1, "repeats": repeats}
    return {"settings": settings, "median_ms": {name: own.in_ms()["median_ms"] for name, own in times.items()}, "ratio": ratio}


def tasks() -> dict[str, Candidate]:
    """What is timed, by name."""
    scores = synthetic_scores()
    labels = assign(scores, *SIZE)[0]
    photo = np.random.default_rng(0).integers(0, 256, (1, *SIZE, 3), dtype=np.uint8)
    tables = resize_tables(*SIZE, *scores.shape[2:])
    timed: dict[str, Candidate] = {
        "resize + normalise": lambda: network_planes(photo, tables, MEAN, threads=1),
        "arg-max, interpolated": lambda: assign(scores, *SIZE, smoothing=INTERPOLATED, threads=1),
        "arg-max, compact": lambda: assign(scores, *SIZE, smoothing=COMPACT, threads=1),
        "arg-max, nearest": lambda: assign(scores, *SIZE, threads=1),
        "connectivity": lambda: enforce_connectivity(labels, MIN_SIZE, MAX_SIZE),
        "arg-max, interpolated + connectivity": lambda: postprocess(scores, *SIZE, *BOUNDS, smoothing=INTERPOLATED, threads=1),
    }
    try:
        from skimage.segmentation._slic import _enforce_label_connectivity_cython as peer
    except ImportError:
        return timed
    wide = labels[None].astype(np.int64)  # what it takes; it does not change its input
    return {PEER: lambda: peer(wide, MIN_SIZE, MAX_SIZE, start_label=0), **timed}


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
