"""Object proposals (paper, Fig. 9): a method's superpixels merged into few regions, and the ASA of these (Eq. 11).

    embed = lambda: train(bsds500("BSDS500/data", "train"))
    result = proposals(["ainet", "slic"], bsds500("BSDS500/data", "val"), embed)

The costs are those of `trees`, and "del", one embedding for all methods: see `del_cost`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ainet.benchmarks.accuracy.del_cost import DelCost
from ainet.benchmarks.accuracy.run import EXAMPLES
from ainet.benchmarks.accuracy.trees import open_trees
from ainet.benchmarks.peers import Options, open_each
from ainet.files import atomic_path
from ainet.metrics import achievable_segmentation_accuracy
from ainet.metrics.label_map import LabelMap
from ainet.runtime.plan import plan_segments
from ainet.training.datasets import Sample

COUNTS = (5, 10, 20, 50, 100)  # regions
START = 600  # superpixels that are merged
PICTURED = 20  # regions of the pictures


def proposals(
    names: Sequence[str],
    samples: Sequence[Sample],
    embed: Callable[[], DelCost],
    options: Options | None = None,
    progress: Callable[[str], None] = lambda line: None,
    on_skip: Callable[[str], None] = lambda line: None,
    pictures: Path | None = None,
) -> dict[str, Any]:
    """Rows of method, cost of merging, regions, and mean ASA over all (image, ground truth) pairs.

    Args:
        embed: makes DEL's cost, once the methods are known to be there.
        pictures: a folder for the regions of the first images, IMAGE/METHOD-COST.png, which a report shows.

    Raises:
        UsageError: an unknown method, or a picture that gives fewer superpixels than regions are asked for.
        DeviceError: no method is installed.
        ModelError: weights cannot be used.
    """
    methods, skipped = open_each(names, lambda name: open_trees(name, options))
    for line in skipped.values():
        on_skip(line)
    embedding = embed()
    accuracies: dict[tuple[str, str, int], list[float]] = {}
    for number, sample in enumerate(samples):
        progress(f"image {number + 1} of {len(samples)}")
        image, ground_truths = sample.image(), [LabelMap(truth) for truth in sample.segmentations()]
        height, width = image.shape[:2]
        plan = plan_segments(height, width, START)
        for name, method in methods.items():
            trees = method.trees(image, plan)
            trees["del"] = embedding.tree(trees["plain"].labels, image)
            for cost, tree in trees.items():
                for count, regions in zip(COUNTS, map(LabelMap, tree.cuts(COUNTS)), strict=True):
                    pairs = accuracies.setdefault((name, cost, count), [])
                    pairs += [achievable_segmentation_accuracy(regions, truth) for truth in ground_truths]
                    if pictures is not None and count == PICTURED and number < EXAMPLES:
                        _write_labels(pictures / sample.image_id / f"{name}-{cost}.png", regions)
    return {
        "start": START,
        "images": len(samples),
        "methods": {name: method.parameters for name, method in methods.items()},
        "rows": [
            {"method": name, "cost": cost, "regions": count, "asa": round(float(np.mean(pairs)), 5)}
            for (name, cost, count), pairs in accuracies.items()
        ],
        "skipped": skipped,
    }


def _write_labels(path: Path, regions: LabelMap) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", regions.labels.astype(np.uint8))[1].tobytes())
