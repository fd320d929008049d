"""`python -m fuzz.small_runs train|bench FOLDER`: runs that take long, small, and with as much left on disk as often as can be."""

import sys
from dataclasses import replace

from ainet.benchmarks.accuracy.protocol import BSDS
from ainet.benchmarks.accuracy.run import run_accuracy
from ainet.training.options import RunOptions
from ainet.training.recipe import Recipe
from ainet.training.trainer import Trainer
from fuzz.weights import Squares

IMAGES = 6
RECIPE = Recipe("tiny", iterations=12, batch_size=1, lr=1e-3, crop=32, schedule="cosine")


def train(out: str) -> None:
    """A checkpoint after every iteration."""
    Trainer("ssn", RECIPE, [Squares()], out, RunOptions(save_every=0)).run()


def bench(out: str) -> None:
    """The accuracy of a classic method on `IMAGES` images in the folder bsds."""
    protocol = replace(BSDS, scales=BSDS.scales[:4], sizes=((160, 240),), splits={"val": IMAGES})
    run_accuracy(["seeds"], "bsds", "val", out, keep_labels=True, protocol=protocol)


if __name__ == "__main__":
    {"train": train, "bench": bench}[sys.argv[1]](sys.argv[2])
