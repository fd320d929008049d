"""What merging is worth: superpixels of a method, and regions merged to exact counts by each cost, against BSDS500.

    result = run_regions(["ainet", "slic"], bsds500("BSDS500/data", "val"), counts=[50, 100, 216])

A row is of a method, a cost and a count. The costs are those of `trees`, and "direct": the method's own superpixels, whose number
is near the count. Merging starts from as many superpixels as `ainet.segment` would take for the count ("start": "by count"), or from
given numbers. Beside the figures of all images stand those of the images with an even place in the sorted list, on which choices
are made, and of the odd ones, which are kept back. Means are over all pairs of image and ground truth, CO and count over images.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.benchmarks.accuracy.trees import Image, TreeMethod, open_trees
from ainet.benchmarks.peers import Options
from ainet.errors import UsageError
from ainet.metrics.curves import COUNTS, RECALLS, curve_mean
from ainet.metrics.definitions import achievable_segmentation_accuracy, boundary_precision, boundary_recall, compactness
from ainet.metrics.label_map import LabelMap
from ainet.models import BUNDLED
from ainet.runtime.oversegmentation import plan_finer, plan_start
from ainet.training.datasets import Sample

REGIONS = (20, 50, 100, 216, 384, 600, 864, 1200)
BY_COUNT = "by count"
METRICS = ("asa", "rec", "pre", "co", "sp")
DIGITS = 5
PARTS = {"all": slice(None), "even": slice(None, None, 2), "odd": slice(1, None, 2)}

Pairs = NDArray[np.float64]  # (ground truths, METRICS) of one image


@dataclass(frozen=True)
class Curve:
    """Rows that differ in their count alone."""

    method: str
    start: int | str | None
    cost: str


Key = tuple[Curve, int]  # and the count


def run_regions(
    methods: Sequence[str],
    samples: Sequence[Sample],
    starts: Sequence[int] | None = None,
    counts: Sequence[int] = REGIONS,
    model: Path | None = None,
    progress: Callable[[str], None] = lambda line: None,
    options: Options | None = None,
) -> dict[str, Any]:
    """Evaluate the superpixels and merged regions of every method.

    Args:
        methods: of `ainet.benchmarks.peers`.
        starts: superpixels to merge from, in place of as many as `ainet.segment` takes; counts above what a start gives are left out.
        model: ONNX file in place of the bundled weights of the one network among the methods.

    Raises:
        UsageError: an unknown method, a count below 1, or a model for several networks or none.
    """
    if not counts or min(counts) < 1:
        raise UsageError(f"counts must be 1 or more, not {list(counts)}")
    networks = [name for name in methods if name in BUNDLED]
    if model is not None and len(networks) != 1:
        raise UsageError(f"a model takes the place of one network, but the methods name {len(networks)}; name one of {', '.join(BUNDLED)}")
    found: dict[Key, list[Pairs]] = {}  # by image
    parameters = {}
    for name in methods:
        method = open_trees(name, options, model)
        parameters[name] = method.parameters
        for number, sample in enumerate(samples, 1):
            progress(f"{name}: image {number} of {len(samples)}")
            ground_truths = [LabelMap(truth) for truth in sample.segmentations()]
            image = sample.image()
            maps = _by_count(method, image, counts) if starts is None else _from_starts(method, image, starts, counts)
            for start, cost, count, labels in maps:
                found.setdefault((Curve(name, start, cost), count), []).append(score(LabelMap(labels), ground_truths))
    complete = {key: rows for key, rows in found.items() if len(rows) == len(samples)}
    return {
        "images": len(samples),
        "methods": parameters,
        "rows": [
            {**asdict(curve), "count": count, **{part: _means(rows[which]) for part, which in PARTS.items()}}
            for (curve, count), rows in complete.items()
        ],
        "figures": _figures(complete),
    }


Map = tuple[int | str | None, str, int, NDArray[np.int32]]  # start, cost, count and labels


def _by_count(method: TreeMethod, image: Image, counts: Sequence[int]) -> Iterator[Map]:
    height, width = image.shape[:2]
    for count in counts:
        yield None, "direct", count, method.grid(image, count)
        plan = plan_finer(height, width, count, height * width)
        for cost, tree in method.trees(image, plan, count).items():
            yield BY_COUNT, cost, count, tree.cut(count)


def _from_starts(method: TreeMethod, image: Image, starts: Sequence[int], counts: Sequence[int]) -> Iterator[Map]:
    height, width = image.shape[:2]
    for start in starts:
        for cost, tree in method.trees(image, plan_start(height, width, start)).items():
            for count in counts:
                if count <= tree.max_segments:
                    yield start, cost, count, tree.cut(count)


def score(labels: LabelMap, ground_truths: Sequence[LabelMap]) -> Pairs:
    """(ground truths, `METRICS`) of one label map."""
    of_image = (compactness(labels), labels.largest_id + 1)
    of_pair = (achievable_segmentation_accuracy, boundary_recall, boundary_precision)
    return np.array([(*(metric(labels, truth) for metric in of_pair), *of_image) for truth in ground_truths])


def _means(rows: Sequence[Pairs]) -> dict[str, float] | None:
    if not rows:
        return None
    asa, recall, precision, _, _ = np.concatenate(rows).mean(0)
    roundness, count = np.mean([pairs[0, -2:] for pairs in rows], 0)
    return {name: round(float(value), DIGITS) for name, value in zip(METRICS, (asa, recall, precision, roundness, count), strict=True)}


def _figures(found: dict[Key, list[Pairs]]) -> list[dict[str, Any]]:
    """Of each method, start and cost the mean ASA over the counts of `COUNTS` and the mean BP over the BR of `RECALLS`, along the curves.

    None where the counts do not reach so far.
    """
    result = []
    for curve in dict.fromkeys(curve for curve, _ in found):
        entry: dict[str, Any] = asdict(curve)
        for part, which in PARTS.items():
            means = [_means(rows[which]) for (other, _), rows in found.items() if other == curve]
            of = [values for values in means if values is not None]
            asa, recall, precision, _, count = ([values[name] for values in of] for name in METRICS)
            entry[part] = {"asa": curve_mean(count, asa, *COUNTS), "br_bp": curve_mean(recall, precision, *RECALLS)} if of else None
        result.append(entry)
    return result
