"""From the rows of a run to the figures that reports and the README show.

**Figures over a range of counts**, all from the main figures, `sp` being the *actual* mean count:
    auc        mean height of the curve metric over `sp` from 384 to 1200, linear between the scales (`curves.curve_mean`)
    scales     plain mean of the scales that ask for 384 to 1200 superpixels (BSDS500: s = 0.8 ... 1.4): what publications give
    br_bp      mean height of the curve BP over BR from BR = 0.7 to 0.85
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ainet.benchmarks.accuracy.protocol import BSDS, Protocol
from ainet.files import atomic_path
from ainet.metrics import Row, curve_mean, summarise
from ainet.metrics.curves import COUNTS, RECALLS
from ainet.metrics.summary import HEADLINE, Metrics


def summarise_scales(rows: Mapping[float, Sequence[Row]], protocol: Protocol = BSDS) -> dict[str, Any]:
    """From the rows of each scale, of the metrics of `HEADLINE`.

    `figures`: over a range of counts. `scales`: the main means of each. `conventions`: at scale 1, where it is among them, the means
    by convention. `pairs`: how many there are by choice of ground truths.
    """
    summaries = {scale: summarise(of_scale) for scale, of_scale in rows.items()}
    main = {scale: _headline(summary.means["row_mean"]["all_gts"]) for scale, summary in summaries.items()}
    conventions = {}
    if 1 in summaries:
        for average, by_truths in summaries[1].means.items():
            conventions[average] = {truths: _headline(means) for truths, means in by_truths.items()}
    return {
        "figures": _figures(main, protocol),
        "scales": [{"scale": scale, "n_segments": protocol.segments_at(scale), **means} for scale, means in main.items()],
        "conventions": conventions,
        "pairs": next(iter(summaries.values())).pairs,
    }


def _figures(main: Mapping[float, Metrics], protocol: Protocol) -> dict[str, Any]:
    means = list(main.values())
    counts = [of_scale["sp"] for of_scale in means]
    within = [of_scale for scale, of_scale in main.items() if COUNTS[0] <= protocol.segments_at(scale) <= COUNTS[1]]
    recall, precision = [of_scale["rec"] for of_scale in means], [of_scale["pre"] for of_scale in means]
    return {
        "range": list(COUNTS),
        "auc": {metric: curve_mean(counts, [of_scale[metric] for of_scale in means], *COUNTS) for metric in means[0]},
        "scales": {metric: float(np.mean([of_scale[metric] for of_scale in within])) if within else None for metric in means[0]},
        "br_bp": {"range": list(RECALLS), "mean": curve_mean(recall, precision, *RECALLS)},
    }


def _headline(means: Metrics) -> Metrics:
    return {metric: means[metric] for metric in HEADLINE if metric in means}


def write_csv(path: Path, rows: Mapping[float, Sequence[Row]], protocol: Protocol) -> None:
    """Columns: scale, asked-for count, image, ground truth, metrics, and those that depend on the ground truth with segments merged."""
    first = next(iter(rows.values()))[0]
    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["scale", "n_segments", "image", "ground_truth", *first.metrics, *(f"merged_{name}" for name in first.merged)])
        for scale, of_scale in rows.items():
            for row in of_scale:
                numbers = [*row.metrics.values(), *row.merged.values()]
                writer.writerow([scale, protocol.segments_at(scale), row.image_id, row.ground_truth, *numbers])
