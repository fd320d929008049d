"""Evaluates checkpoints that were kept while networks trained, on BSDS500 val: how accuracy grows with the crops seen.

python tools/learning_curve.py --bsds BSDS500/data -o benchmarks/results/learning_curve.json \\
    --run ainet start.safetensors half.safetensors end.safetensors --run ...

The first checkpoint of a run is what it started from, with no crops seen. The others have seen iterations times batch size, by their own
word, and where they went on from another one of these, its crops too.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ainet.benchmarks.accuracy.validator import validator
from ainet.benchmarks.result import write_result
from ainet.training.checkpoint import Checkpoint, load_checkpoint
from ainet.training.datasets import bsds500

COUNT = 600


def crops_seen(checkpoint: Checkpoint, before: Mapping[str, int]) -> int:
    """before: the crops that earlier checkpoints have seen, by their SHA-256."""
    if not before:
        return 0
    return before.get(checkpoint.config["initial"], 0) + checkpoint.config["iteration"] * checkpoint.config["recipe"]["batch_size"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bsds", type=Path, required=True, help="folder with BSDS500's images/ and groundTruth/")
    parser.add_argument("--run", action="append", required=True, nargs="+", metavar=("NAME", "WEIGHTS"))
    parser.add_argument("-o", "--out", type=Path, required=True)
    arguments = parser.parse_args()
    samples = list(bsds500(arguments.bsds, "val"))
    validate = validator(samples, COUNT)
    runs = []
    for name, start, *later in arguments.run:
        points: list[dict[str, Any]] = []
        crops: dict[str, int] = {}
        for weights in (start, *later):
            checkpoint = load_checkpoint(weights)
            crops[checkpoint.sha256] = crops_seen(checkpoint, crops)
            figures = {key: round(value, 5) for key, value in validate(checkpoint.network).items()}
            points.append({"crops": crops[checkpoint.sha256], **figures})
            print(name, points[-1], flush=True)
        runs.append({"name": name, "network": checkpoint.name, "points": points})
        write_result(arguments.out, "learning_curve", {"split": "val", "images": len(samples), "n_segments": COUNT, "runs": runs})


if __name__ == "__main__":
    main()
