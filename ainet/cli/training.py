"""`ainet train` and `ainet eval`: from data to weights, and what label maps are worth."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.console import output
from ainet.errors import DeviceError

BsdsOption = Annotated[Path, typer.Option(help="Folder with BSDS500's images/ and groundTruth/.", show_default=False)]


def train(
    network: Annotated[str, typer.Argument(help="ainet, ainet-pnbor, ainet-cpix, ainet-public or scn.")],
    recipe: Annotated[str, typer.Option(help="Name of a recipe (full, paper-4k), or a .toml file.", show_default=False)],
    bsds: BsdsOption,
    out: Annotated[Path, typer.Option("-o", "--out", help="Output folder; goes on from the state found there.", show_default=False)],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    budget: Annotated[str | None, typer.Option(help="Stop with a checkpoint after this time: 90s, 25m, 1.5h.")] = None,
) -> None:
    """Train a network; stop and go on at any time. On several GPUs: torchrun --nproc-per-node N -m ainet train ..."""
    try:
        from ainet.training.train import train as run
    except ImportError as error:
        raise DeviceError(f"training needs the package {error.name}: pip install 'ainet-toolkit[train]'") from error
    finished = run(network, recipe, str(bsds), str(out), device, budget)
    output.print("finished" if finished else "stopped; run the same command to go on")


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
        import dataclasses
        from json import dumps

        from ainet.files import atomic_path

        with atomic_path(json) as temporary:
            temporary.write_text(dumps({"split": split, **dataclasses.asdict(summary)}, indent=1) + "\n")
