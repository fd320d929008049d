"""Data-set means of the metrics, each under the name of its convention, for published figures differ in theirs.

    rows = [row for name in images for row in evaluate_image(name, labels[name], ground_truths[name])]
    print(format_summary(summarise(rows)))

Which ground truths are taken (`GROUND_TRUTHS`):
    all_gts                    every annotation; with row_mean, the main figure
    first5_gts                 the first five of each image: all that superpixel-benchmark reads
    all_gts_merged_above_50    every annotation, with the segments above the 50th merged into the first: what the conversion script
                               behind the published SpixelFCN and AINet figures makes of them
How they are averaged (`AVERAGES`):
    row_mean                   plain mean over all (image, ground truth) pairs
    image_mean                 mean over images of the image's mean
    mean_min, mean_max         mean over images of the image's smallest and largest value
A metric that is nan or inf for one pair is so in the mean.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ainet.arguments import checked_list
from ainet.errors import UsageError
from ainet.metrics.definitions import Image, Labels, evaluate
from ainet.metrics.label_map import LabelMap

GROUND_TRUTHS = ("all_gts", "first5_gts", "all_gts_merged_above_50")
AVERAGES = ("row_mean", "image_mean", "mean_min", "mean_max")
# What papers report, by key, and what they call it.
HEADLINE = {"asa": "ASA", "rec": "BR", "pre": "BP", "ue_np": "UE (Neubert)", "co": "CO", "ev": "EV", "sp": "superpixels"}
KEPT_SEGMENTS = 50

Metrics: TypeAlias = dict[str, float]


@dataclass(frozen=True)
class Row:
    """One (image, ground truth) pair; `ground_truth` counts from 0, `merged` are the metrics with segments above the 50th merged."""

    image_id: str
    ground_truth: int
    metrics: Metrics
    merged: Metrics


@dataclass(frozen=True)
class Summary:
    """Means of a data set: `means[average][ground truths][metric]` over `pairs[ground truths]` pairs of `images` images."""

    images: int
    pairs: dict[str, int]
    means: dict[str, dict[str, Metrics]]


def evaluate_image(image_id: str, labels: Labels, ground_truths: Iterable[Labels], image: Image | None = None) -> list[Row]:
    """The rows of one image, with the metrics and errors of `metrics.evaluate`.

    The segments of a ground truth are numbered from 1, as BSDS500 stores them.
    """
    maps = [
        truth if isinstance(truth, LabelMap) else LabelMap(truth, "ground_truth") for truth in checked_list("ground_truths", ground_truths)
    ]
    large = [k for k, truth in enumerate(maps) if truth.largest_id > KEPT_SEGMENTS]
    merged = [LabelMap(np.where(maps[k].labels > KEPT_SEGMENTS, 1, maps[k].labels)) for k in large]
    results = evaluate(labels, maps + merged, image)
    of_merged = dict(zip(large, results[len(maps) :], strict=True))
    return [Row(image_id, k, results[k], of_merged.get(k, results[k])) for k in range(len(maps))]


def summarise(rows: Sequence[Row]) -> Summary:
    """All twelve means of all metrics.

    Raises:
        UsageError: there are no rows, or none of the first five ground truths; they hold different metrics.
    """
    rows = checked_list("rows", rows)
    if not rows:
        raise UsageError("there are no rows to summarise; evaluate at least one image")
    if not all(isinstance(row, Row) for row in rows):
        raise UsageError("rows must be what evaluate_image gives, of one image or of several in one list")
    if any(row.metrics.keys() != rows[0].metrics.keys() for row in rows):
        raise UsageError("the rows hold different metrics; evaluate all images with image=, or all without")
    chosen = {
        "all_gts": [(row.image_id, row.metrics) for row in rows],
        "first5_gts": [(row.image_id, row.metrics) for row in rows if row.ground_truth < 5],
        "all_gts_merged_above_50": [(row.image_id, row.merged) for row in rows],
    }
    if not chosen["first5_gts"]:
        least = min(row.ground_truth for row in rows)
        raise UsageError(f"first5_gts is empty: the rows begin with ground truth {least}, from 0; pass all that evaluate_image gives")
    averages = {truths: _averages(pairs) for truths, pairs in chosen.items()}
    return Summary(
        images=len({row.image_id for row in rows}),
        pairs={truths: len(pairs) for truths, pairs in chosen.items()},
        means={average: {truths: averages[truths][average] for truths in GROUND_TRUTHS} for average in AVERAGES},
    )


def format_summary(summary: Summary) -> str:
    """The headline metrics as a plain-text table, one line per mean, each with its name."""
    columns = [name for name in HEADLINE if name in summary.means["row_mean"]["all_gts"]]
    lines = [f"{f'mean over {summary.images} images':<40}{'pairs':>6}" + "".join(f"{name:>10}" for name in columns)]
    for average in AVERAGES:
        for truths in GROUND_TRUTHS:
            means = summary.means[average][truths]
            main = " (main)" if (average, truths) == ("row_mean", "all_gts") else ""
            values = "".join(f"{means[column]:>10.4f}" for column in columns)
            lines.append(f"{f'{average}/{truths}{main}':<40}{summary.pairs[truths]:>6}{values}")
    return "\n".join(lines)


def _averages(pairs: list[tuple[str, Metrics]]) -> dict[str, Metrics]:
    names = list(pairs[0][1])
    values = np.array([[metrics[name] for name in names] for _, metrics in pairs])  # (pairs, metrics)
    image_ids = np.array([image_id for image_id, _ in pairs])
    images = [values[image_ids == image_id] for image_id in np.unique(image_ids)]  # each (its pairs, metrics)
    means = {
        "row_mean": values.mean(axis=0),
        "image_mean": np.mean([image.mean(axis=0) for image in images], axis=0),
        "mean_min": np.mean([image.min(axis=0) for image in images], axis=0),
        "mean_max": np.mean([image.max(axis=0) for image in images], axis=0),
    }
    return {average: dict(zip(names, mean.tolist(), strict=True)) for average, mean in means.items()}
