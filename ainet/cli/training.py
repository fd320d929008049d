"""`ainet train` and `ainet eval`: from data to weights, and what label maps are worth."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ainet.cli.console import output
from ainet.errors import DeviceError

if TYPE_CHECKING:
    from ainet.training.networks import UNet
    from ainet.training.trainer import Validate

BsdsOption = Annotated[Path, typer.Option(help="Folder with BSDS500's images/ and groundTruth/.", show_default=False)]


def train(
    network: Annotated[str, typer.Argument(help="ainet, ainet-pnbor, ainet-cpix, ainet-public or scn.")],
    recipe: Annotated[str, typer.Option(help="Name of a recipe (full, paper-4k), or a .toml file.", show_default=False)],
    bsds: BsdsOption,
    out: Annotated[Path, typer.Option("-o", "--out", help="Output folder; goes on from the state found there.", show_default=False)],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    budget: Annotated[str | None, typer.Option(help="Stop with a checkpoint after this time: 90s, 25m, 1.5h.")] = None,
) -> None:
    """Train a network; stop and go on at any time. On several GPUs: torchrun --nproc-per-node N -m ainet train ...

    The val split, where it is there, is measured on the way: loss, and ASA, BR and BP at 600 superpixels.
    """
    try:
        from ainet.training.train import train as run
    except ImportError as error:
        raise DeviceError(f"training needs the package {error.name}: pip install 'ainet-toolkit[train]'") from error
    validate = _validator(bsds) if (bsds / "images/val").is_dir() else None
    finished = run(network, recipe, str(bsds), str(out), device, budget, validate)
    if os.environ.get("RANK", "0") == "0":  # set by torchrun
        output.print("finished" if finished else "stopped; run the same command to go on")


def _validator(bsds: Path) -> "Validate":
    """Figures of a network in training on BSDS500 val: what training cannot know, as it does not import the benchmarks."""
    import numpy as np

    from ainet import __version__
    from ainet.benchmarks.metrics import achievable_segmentation_accuracy, boundary_precision, boundary_recall
    from ainet.runtime.backends.pytorch import TorchBackend
    from ainet.runtime.model import ModelInfo
    from ainet.segmenter import Segmenter
    from ainet.spec import MEAN
    from ainet.training.datasets import BSDS500
    from ainet.training.validation import validation_loss

    samples = BSDS500(bsds, "val")
    metrics = {"asa": achievable_segmentation_accuracy, "br": boundary_recall, "bp": boundary_precision}

    def validate(network: "UNet") -> dict[str, float]:
        info = ModelInfo("in training", "logits", "fp32", MEAN, "", {}, __version__)
        segmenter = Segmenter(TorchBackend(network, info, str(next(network.parameters()).device)))
        rows = []
        for sample in samples:
            labels = segmenter(sample.image(), n_segments=600)
            rows += [[metric(labels, truth) for metric in metrics.values()] for truth in sample.segmentations()]
        return {**validation_loss(network, samples), **dict(zip(metrics, np.mean(rows, axis=0).tolist(), strict=True))}

    return validate


def evaluate(
    labels: Annotated[Path, typer.Option(help="Folder of label maps: ID.npy, ID.csv or 16-bit ID.png.", show_default=False)],
    bsds: BsdsOption,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "val",
    json: Annotated[Path | None, typer.Option(help="Also write the means to this file.")] = None,
) -> None:
    """Measure label maps against BSDS500: ASA, BR, BP and the rest, as the superpixel benchmark defines them."""
    try:
        from ainet.benchmarks.evaluate import evaluate_folder
        from ainet.benchmarks.summary import format_summary
    except ImportError as error:
        raise DeviceError(f"evaluation needs the package {error.name}: pip install 'ainet-toolkit[train,bench]'") from error
    _, summary = evaluate_folder(labels, bsds, split)
    output.print(format_summary(summary), markup=False, soft_wrap=True)
    if json is not None:
        from dataclasses import asdict

        from ainet.files import write_json

        write_json(json, {"split": split, **asdict(summary)})
