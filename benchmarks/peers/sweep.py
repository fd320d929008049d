"""Choose the parameters of a classic method on BSDS500 train.

    result = sweep("lsc", Path("BSDS500/data"), images=20)

Every combination of the method's small grid segments the same images at a few counts. The winner has the highest ASA, averaged
over 300, 600 and 1200 superpixels, each read off the curve over the *actual* mean count: parameters that only make more
superpixels win nothing. Of those within 0.0005 of the highest, which so few images cannot tell apart, the one whose counts are
nearest to what was asked wins. BR and BP are shown as a check.
"""

import itertools
import random
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ainet.benchmarks.peers import METHODS
from ainet.benchmarks.peers.base import Method, Options
from ainet.errors import UsageError
from ainet.metrics import LabelMap, achievable_segmentation_accuracy, boundary_precision, boundary_recall
from ainet.training.datasets import bsds500

GRIDS: dict[str, dict[str, list[Any]]] = {
    "slic": {"compactness": [5.0, 10.0, 20.0, 30.0], "sigma": [0.0, 1.0]},
    "slic-cv": {"ruler": [5.0, 10.0, 20.0, 30.0], "blur": [False, True]},
    "slico": {"blur": [False, True]},
    "lsc": {"ratio": [0.0125, 0.025, 0.05, 0.075], "blur": [False, True]},
    "seeds": {"colour": ["lab", "hsv", "rgb"], "prior": [0, 1, 2, 3]},
    "snic": {"compactness": [1.0, 2.0, 5.0, 10.0, 20.0]},
    "fast-slic": {"compactness": [2.0, 5.0, 10.0, 20.0]},
}
COUNTS = (150, 384, 1350)  # asked for; some methods make half as many again
READ_AT = (300, 600, 1200)
INDISTINCT = 0.0005
METRICS = {"asa": achievable_segmentation_accuracy, "br": boundary_recall, "bp": boundary_precision}


def sweep(name: str, bsds_root: Path, images: int, progress: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """The rows of all combinations, best first, with the conditions that they were found under.

    Raises:
        UsageError: the method has no grid, or BSDS500 is not there.
        DeviceError: the method's package is missing.
    """
    if name not in GRIDS:
        raise UsageError(f"method '{name}' has no parameters to choose; name one of {', '.join(GRIDS)}")
    grid = GRIDS[name]
    drawn = random.Random(0).sample(bsds500(bsds_root, "train"), images)
    samples = sorted(drawn, key=lambda sample: sample.image_id)
    combinations = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    open_method = import_module(METHODS[name]).open_method
    methods: list[Method] = [open_method(name, Options(), **parameters) for parameters in combinations]
    means = np.zeros((len(methods), len(COUNTS), 1 + len(METRICS)))  # count and metrics
    for number, sample in enumerate(samples, 1):
        progress(f"{name}: image {number} of {images}, {len(methods)} combinations")
        image, truths = sample.image(), [LabelMap(truth) for truth in sample.segmentations()]
        for m, method in enumerate(methods):
            for c, count in enumerate(COUNTS):
                labels = LabelMap(method(image, count))
                scores = [np.mean([metric(labels, truth) for truth in truths]) for metric in METRICS.values()]
                means[m, c] += np.array([labels.largest_id + 1, *scores]) / images
    rows = [
        {**{key: method.parameters[key] for key in grid}, **_read(mean), "counts": mean[:, 0].tolist()}
        for method, mean in zip(methods, means, strict=True)
    ]
    return {
        "method": name,
        "grid": grid,
        "fixed": {key: value for key, value in methods[0].parameters.items() if key not in grid},
        "split": "train",
        "image_ids": [sample.image_id for sample in samples],
        "asked": COUNTS,
        "read_at": READ_AT,
        "rows": _ranked(rows),
    }


def _ranked(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The winner first, then by ASA."""
    rows = sorted(rows, key=lambda row: -row["asa"])
    best = [row for row in rows if row["asa"] >= rows[0]["asa"] - INDISTINCT]
    winner = min(best, key=lambda row: np.abs(np.log(np.divide(row["counts"], COUNTS))).sum())
    return [winner, *(row for row in rows if row is not winner)]


def _read(curve: np.ndarray[Any, Any]) -> dict[str, float]:
    """(counts, 1 + metrics) -> each metric's mean at `READ_AT`, linear in the logarithm of the count; ends are kept."""
    logs = np.log(curve[:, 0])
    return {metric: float(np.interp(np.log(READ_AT), logs, curve[:, 1 + i]).mean()) for i, metric in enumerate(METRICS)}
