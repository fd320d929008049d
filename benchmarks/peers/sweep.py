"""Choose the parameters of a classic method on BSDS500 train.

    python -m ainet.benchmarks.peers.sweep lsc --bsds BSDS500/data --images 20 --json benchmarks/results/sweep_lsc.json

Every combination of the method's small grid segments the same images at a few counts. The winner has the highest ASA, averaged
over 300, 600 and 1200 superpixels, each read off the curve over the *actual* mean count: parameters that only make more
superpixels win nothing. Of those within 0.0005 of the highest, which so few images cannot tell apart, the one whose counts are
nearest to what was asked wins. BR and BP are shown as a check.
"""

import argparse
import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ainet.benchmarks.peers.base import Options
from ainet.benchmarks.peers.classic import open_method
from ainet.errors import AINetError
from ainet.files import write_json
from ainet.metrics.label_map import LabelMap
from ainet.metrics.measures import achievable_segmentation_accuracy, boundary_precision, boundary_recall
from ainet.training.datasets import BSDS500

GRIDS: dict[str, dict[str, list[Any]]] = {
    "slic": {"compactness": [5.0, 10.0, 20.0, 30.0], "sigma": [0.0, 1.0]},
    "slic-cv": {"ruler": [5.0, 10.0, 20.0, 30.0], "blur": [False, True]},
    "slico": {"blur": [False, True]},
    "lsc": {"ratio": [0.0125, 0.025, 0.05, 0.075], "blur": [False, True]},
    "seeds": {"colour": ["lab", "hsv", "rgb"], "prior": [0, 1, 2, 3]},
    "snic": {"compactness": [1.0, 2.0, 5.0, 10.0, 20.0]},
}
COUNTS = (150, 384, 1350)  # asked for; some methods make half as many again
READ_AT = (300, 600, 1200)
INDISTINCT = 0.0005
METRICS = {"asa": achievable_segmentation_accuracy, "br": boundary_recall, "bp": boundary_precision}


def sweep(name: str, bsds_root: Path, images: int, seed: int = 0) -> dict[str, Any]:
    """The rows of all combinations, best first, with the conditions they were measured under.

    Raises:
        UsageError: BSDS500 is not there.
        DeviceError: the method's package is missing.
    """
    samples = sorted(random.Random(seed).sample(list(BSDS500(bsds_root, "train")), images), key=lambda sample: sample.image_id)
    methods = [
        open_method(name, Options(), **dict(zip(GRIDS[name], values, strict=True))) for values in itertools.product(*GRIDS[name].values())
    ]
    means = np.zeros((len(methods), len(COUNTS), 1 + len(METRICS)))  # count and metrics
    for sample in track(samples, f"{name}: {len(methods)} combinations"):
        image, truths = sample.image(), [LabelMap(truth) for truth in sample.segmentations()]
        for (m, method), (c, count) in itertools.product(enumerate(methods), enumerate(COUNTS)):
            labels = LabelMap(method(image, count))
            scores = [np.mean([metric(labels, truth) for truth in truths]) for metric in METRICS.values()]
            means[m, c] += np.array([labels.largest_id + 1, *scores]) / images
    rows = [
        {**{key: method.parameters[key] for key in GRIDS[name]}, **_read(mean), "counts": mean[:, 0].tolist()}
        for method, mean in zip(methods, means, strict=True)
    ]
    return {
        "method": name,
        "fixed": {key: value for key, value in methods[0].parameters.items() if key not in GRIDS[name]},
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


def main() -> None:
    parser = argparse.ArgumentParser(description="Choose the parameters of a classic method on BSDS500 train, by mean ASA.")
    parser.add_argument("method", choices=GRIDS)
    parser.add_argument("--bsds", type=Path, required=True, help="BSDS500's folder with images and groundTruth")
    parser.add_argument("--images", type=int, default=20, help="how many images, drawn with a fixed seed")
    parser.add_argument("--json", type=Path, help="also write all rows to this file")
    arguments = parser.parse_args()
    if not 1 <= arguments.images <= 200:
        parser.error("--images must be from 1 to 200, the size of the split")
    try:
        result = sweep(arguments.method, arguments.bsds, arguments.images)
        names = list(GRIDS[arguments.method])
        table = Table(*names, "ASA", "BR", "BP", "counts", title=f"{arguments.method}, {arguments.images} images of BSDS500 train")
        for row in result["rows"]:
            counts = ", ".join(f"{count:.0f}" for count in row["counts"])
            table.add_row(*(str(row[name]) for name in names), *(f"{row[metric]:.4f}" for metric in METRICS), counts)
        Console().print(table)
        if arguments.json:
            write_json(arguments.json, result)
    except AINetError as error:
        parser.exit(error.exit_code, f"{error}\n")


if __name__ == "__main__":
    main()
