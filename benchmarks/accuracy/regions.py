"""What merging is worth: superpixels of a method at some start, merged down to exact counts by each cost, against BSDS500.

    result = run_regions(["ainet", "slic"], bsds500("BSDS500/data", "val"), starts=[1200], counts=[50, 100, 216])

A start is the number of superpixels asked for; a cost is "plain", "image" (learned, of the image alone) or "network" (learned, with the
border map of the model file). Beside the rows of all images stand those of the images with an even place in the sorted list, on which
choices are made, and of the odd ones, which are kept back. Means are over all pairs of image and ground truth, CO over images.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ainet.benchmarks.peers import Options, open_method
from ainet.errors import UsageError
from ainet.merge_tree import Hierarchy, grow_tree, image_model
from ainet.metrics.curves import RECALLS, curve_mean
from ainet.metrics.definitions import achievable_segmentation_accuracy, boundary_precision, boundary_recall, compactness
from ainet.metrics.label_map import LabelMap
from ainet.models import BUNDLED
from ainet.runtime.backends import Backend
from ainet.runtime.oversegmentation import over_segment, plan_start
from ainet.segmenter import Segmenter
from ainet.training.datasets import Sample

Key = tuple[str, int, str, int]  # method, start, cost, count
METRICS = ("asa", "rec", "pre", "co")
DIGITS = 5
PARTS = {"all": slice(None), "even": slice(None, None, 2), "odd": slice(1, None, 2)}


def run_regions(
    methods: Sequence[str],
    samples: Sequence[Sample],
    starts: Sequence[int] = (1200,),
    counts: Sequence[int] = (20, 50, 100, 216, 384, 600, 864),
    model: Path | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Merge the superpixels of every method, and evaluate the regions.

    Args:
        methods: of `ainet.benchmarks.peers`.
        starts: superpixels asked for; counts above what a start gives are left out.
        model: ONNX file in place of the bundled AINet.

    Raises:
        UsageError: an unknown method, or a count below 1.
    """
    if not counts or min(counts) < 1:
        raise UsageError(f"counts must be 1 or more, not {list(counts)}")
    found: dict[Key, list[list[tuple[float, ...]]]] = {}  # by image, then by ground truth
    for method in methods:
        grow = _grower(method, model)
        for number, sample in enumerate(samples):
            progress(f"{method}: image {number + 1} of {len(samples)}")
            truths = [LabelMap(truth) for truth in sample.segmentations()]
            for start in starts:
                for cost, tree in grow(sample, start).items():
                    for count in counts:
                        rows = found.setdefault((method, start, cost, count), [])
                        if count <= tree.max_segments:
                            rows.append(_score(tree, count, truths))
    complete = {key: rows for key, rows in found.items() if len(rows) == len(samples)}
    return {
        "images": len(samples),
        "rows": [_row(key, rows) for key, rows in complete.items()],
        "br_bp": _precision_over_recall(complete),
    }


def _grower(method: str, model: Path | None) -> Callable[[Sample, int], dict[str, Hierarchy]]:
    """From an image and a start to a tree for each cost."""
    if method in BUNDLED:
        backend = Segmenter.load(model if model is not None and method == BUNDLED[0] else method, "cpu", 1).backend
        return lambda sample, start: _network_trees(backend, sample, start)
    segment = open_method(method, Options())

    def trees(sample: Sample, start: int) -> dict[str, Hierarchy]:
        image = sample.image()
        labels = segment(image, start)
        return {cost: Hierarchy.from_labels(labels, image, cost=word) for cost, word in (("plain", "plain"), ("image", "learned"))}

    return trees


def _network_trees(backend: Backend, sample: Sample, start: int) -> dict[str, Hierarchy]:
    image = sample.image()
    labels, border_map = over_segment(backend, image, plan_start(image.shape[0], image.shape[1], start))
    trees = {"plain": grow_tree(labels, image, None), "image": grow_tree(labels, image, image_model())}
    if border_map is not None:
        trees["network"] = grow_tree(labels, image, backend.merge_model, border_map)  # type: ignore[attr-defined]
    return trees


def _score(tree: Hierarchy, count: int, truths: Sequence[LabelMap]) -> list[tuple[float, ...]]:
    labels = LabelMap(tree.cut(count))
    roundness = compactness(labels)
    pair = (achievable_segmentation_accuracy, boundary_recall, boundary_precision)
    return [(*(metric(labels, truth) for metric in pair), roundness) for truth in truths]


def _row(key: Key, rows: Sequence[Sequence[tuple[float, ...]]]) -> dict[str, Any]:
    method, start, cost, count = key
    return {"method": method, "start": start, "cost": cost, "count": count} | {part: _means(rows[which]) for part, which in PARTS.items()}


def _means(rows: Sequence[Sequence[tuple[float, ...]]]) -> dict[str, float] | None:
    if not rows:
        return None
    pairs = np.concatenate([np.array(image) for image in rows]).mean(0)
    roundness = np.mean([image[0][-1] for image in rows])
    return dict(zip(METRICS, [round(float(value), DIGITS) for value in (*pairs[:-1], roundness)], strict=True))


def _precision_over_recall(found: dict[Key, list[list[tuple[float, ...]]]]) -> list[dict[str, Any]]:
    """Mean BP over BR from 0.70 to 0.85 of each method, start and cost; None where the counts do not reach so far."""
    curves = sorted({key[:3] for key in found})
    result = []
    for curve in curves:
        entry: dict[str, Any] = dict(zip(("method", "start", "cost"), curve, strict=True))
        for part, which in PARTS.items():
            means = [_means(rows[which]) for key, rows in found.items() if key[:3] == curve]
            points = [(of["rec"], of["pre"]) for of in means if of is not None]
            entry[part] = curve_mean([recall for recall, _ in points], [precision for _, precision in points], *RECALLS) if points else None
        result.append(entry)
    return result
