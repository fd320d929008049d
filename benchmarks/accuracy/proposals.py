"""Object proposals (paper, Fig. 9): a method's superpixels merged into few regions, and the ASA of these (Eq. 11).

result = proposals(["ainet", "slic"], bsds500("BSDS500/data", "val"))
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ainet.benchmarks.peers import Options, open_methods
from ainet.merge_tree import COSTS, Hierarchy
from ainet.metrics import achievable_segmentation_accuracy
from ainet.metrics.label_map import LabelMap
from ainet.training.datasets import Sample

COUNTS = (5, 10, 20, 50, 100)  # regions
START = 600  # superpixels that are merged


def proposals(
    names: Sequence[str],
    samples: Sequence[Sample],
    options: Options | None = None,
    progress: Callable[[str], None] = lambda line: None,
    on_skip: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Rows of method, cost of merging (see `Hierarchy.from_labels`), regions, and mean ASA over all (image, ground truth) pairs.

    Raises:
        UsageError: an unknown method, or a picture that gives fewer superpixels than regions are asked for.
        DeviceError: no method is installed.
        ModelError: weights cannot be used.
    """
    methods, skipped = open_methods(names, options or Options())
    for line in skipped.values():
        on_skip(line)
    accuracies: dict[tuple[str, str, int], list[float]] = {}
    for number, sample in enumerate(samples, 1):
        progress(f"image {number} of {len(samples)}")
        image, truths = sample.image(), [LabelMap(truth) for truth in sample.segmentations()]
        for name, method in methods.items():
            superpixels = method(image, START)
            for cost in COSTS:
                hierarchy = Hierarchy.from_labels(superpixels, image, cost=cost)
                for count, regions in zip(COUNTS, map(LabelMap, hierarchy.cuts(COUNTS)), strict=True):
                    pairs = accuracies.setdefault((name, cost, count), [])
                    pairs += [achievable_segmentation_accuracy(regions, truth) for truth in truths]
    return {
        "start": START,
        "images": len(samples),
        "methods": {name: dict(method.parameters) for name, method in methods.items()},
        "rows": [
            {"method": name, "cost": cost, "regions": count, "asa": float(np.mean(pairs))}
            for (name, cost, count), pairs in accuracies.items()
        ],
        "skipped": skipped,
    }
