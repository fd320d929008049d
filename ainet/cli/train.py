"""`ainet train`: from data to weights."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ainet.cli.console import print_line
from ainet.cli.options import TrainingDeviceOption, needs
from ainet.errors import UsageError
from ainet.files import is_folder
from ainet.models import checkpoint_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ainet.training.datasets import Sample
    from ainet.training.given_time import GivenTime
    from ainet.training.options import Validate

SECONDS_AN_IMAGE = 20  # of a given time, for each image of val
LEAST_IMAGES = 5


def train(
    network: Annotated[str, typer.Argument(help="ainet, ainet-pnbor, ainet-cpix, ainet-public, ainet-lite, scn or ssn.")],
    recipe: Annotated[str, typer.Option(help="Name of a recipe (full, paper-4k, ssn), or a .toml file.", show_default=False)],
    out: Annotated[Path, typer.Option("-o", "--out", help="Output folder; goes on from the state found there.", show_default=False)],
    bsds: Annotated[Path | None, typer.Option(help="Train on BSDS500: its folder.", show_default=False)] = None,
    nyuv2: Annotated[Path | None, typer.Option(help="Train on NYUv2: its folder.", show_default=False)] = None,
    images: Annotated[Path | None, typer.Option(help="Train on images of your own: their folder.", show_default=False)] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Their label maps: NAME.png (.npy, .csv), or NAME-0.png ...", show_default=False)
    ] = None,
    device: TrainingDeviceOption = "auto",
    budget: Annotated[str | None, typer.Option(help="Stop with a checkpoint after this time: 90s, 25m, 1.5h.")] = None,
    within: Annotated[
        str | None, typer.Option(help="Fit the recipe's schedule to this time, however many iterations it is enough for: 9m.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Checkpoint to start from (fine-tuning), or bundled weights by name.", show_default=False)
    ] = None,
    compile: Annotated[bool, typer.Option(help="On a GPU, compile the training step: minutes at the start, faster from then on.")] = True,
) -> None:
    """Train a network; stop and go on at any time. On several GPUs: torchrun --nproc-per-node N -m ainet train ...

    BSDS500's val split, where it is there, is evaluated on the way: loss, and ASA, BR and BP at 600 superpixels. With --within, all of
    the command counts, from its start to the last file.
    """
    from ainet.training.given_time import GivenTime
    from ainet.training.stop import parse_duration

    given = GivenTime(parse_duration(within)) if within else None

    if budget:
        parse_duration(budget)  # says what is wrong with it before packages are asked for
    start = None if weights is None else checkpoint_path(weights)
    _check_data_set(bsds, nyuv2, images, labels)
    with needs("training", "train"):
        from ainet.training.train import train as run
    data = _data_set(bsds, nyuv2, images, labels)
    validate = _validate_on_val(bsds, given) if bsds is not None and is_folder(bsds / "images/val") else None
    run(network, recipe, data, str(out), device, budget, start, validate, compile, given)


def _check_data_set(bsds: Path | None, nyuv2: Path | None, images: Path | None, labels: Path | None) -> None:
    """Raise `UsageError` unless one data set is named."""
    if (images is None) != (labels is None):
        raise UsageError("images of your own need both --images FOLDER and --labels FOLDER")
    if sum(folder is not None for folder in (bsds, nyuv2, images)) != 1:
        raise UsageError("name one data set: --bsds FOLDER, --nyuv2 FOLDER, or --images FOLDER and --labels FOLDER")


def _data_set(
    bsds: Path | None, nyuv2: Path | None, images: Path | None, labels: Path | None
) -> "Callable[[Sequence[str]], Iterable[Sample]]":
    """What opens the one data set that was named: from splits to samples; a folder of images has no splits."""
    from ainet.training import datasets

    if bsds is not None:
        return lambda splits: (sample for split in splits for sample in datasets.bsds500(bsds, split))
    if nyuv2 is not None:
        return lambda splits: (sample for split in splits for sample in datasets.nyuv2(nyuv2, split, print_line))
    assert images is not None and labels is not None
    return lambda splits: datasets.label_folder(images, labels, report=print_line)


def _validate_on_val(bsds: Path, within: "GivenTime | None") -> "Validate":
    """All of val, or, so that evaluating takes a small part of a given time, an image for every 20 seconds of it."""
    from ainet.benchmarks.accuracy.validator import validator
    from ainet.training.datasets import bsds500

    samples = bsds500(bsds, "val")
    count = len(samples) if within is None else max(LEAST_IMAGES, int(within.seconds / SECONDS_AN_IMAGE))
    return validator(samples[:: math.ceil(len(samples) / count)])
