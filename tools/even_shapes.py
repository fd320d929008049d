"""What `compact=True` changes on BSDS500 val: the bundled AINet in float32, by the plain grid and by exact counts, without it and with it.

python tools/even_shapes.py --bsds BSDS500/data -o benchmarks/results/even_shapes.json
"""

import argparse
from pathlib import Path

import numpy as np

from ainet import Segmenter
from ainet.benchmarks.accuracy.regions import METRICS, Pairs, score
from ainet.benchmarks.result import write_result
from ainet.metrics.label_map import LabelMap
from ainet.training.datasets import bsds500

NETWORK, DEVICE, PRECISION = "ainet", "openvino", "fp32"
COUNTS = {"fast": (200, 600, 1000), "best": (100, 216, 384, 600)}  # by the quality of the call
SHOWN = METRICS[:-1]  # all but the count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bsds", type=Path, required=True, help="folder with BSDS500's images/ and groundTruth/")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--step", type=int, default=1, help="take each STEPth image of val alone, for a first look")
    given = parser.parse_args()
    samples = bsds500(given.bsds, "val")[:: given.step]
    segmenter = Segmenter.load(NETWORK, DEVICE, precision=PRECISION)
    ways = [(quality, count, compact) for quality, counts in COUNTS.items() for count in counts for compact in (False, True)]
    found: dict[tuple[str, int, bool], list[Pairs]] = {way: [] for way in ways}  # by image
    for sample in samples:
        image, truths = sample.image(), [LabelMap(truth) for truth in sample.segmentations()]
        for quality, count, compact in ways:
            labels = LabelMap(segmenter(image, n_segments=count, quality=quality, compact=compact))
            found[quality, count, compact].append(score(labels, truths))
        print(sample.image_id, flush=True)
    rows = []
    for (quality, count, compact), pairs in found.items():
        means = dict(zip(SHOWN, np.concatenate(pairs).mean(0)[: len(SHOWN)].round(5).tolist(), strict=True))
        rows.append({"quality": quality, "n_segments": count, "compact": compact, **means})
    write_result(given.out, "even_shapes", {"split": "val", "images": len(samples), "network": NETWORK, "rows": rows})


if __name__ == "__main__":
    main()
