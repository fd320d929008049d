"""`ainet train-merging`: the cost by which superpixels merge."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.console import output, print_line
from ainet.cli.options import BsdsOption, needs
from ainet.models import DEFAULT, checkpoint_path


def train_merging(
    bsds: BsdsOption,
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", help="Checkpoint (.safetensors) with the cost, or a cost that needs no network (.json).", show_default=False
        ),
    ],
    weights: Annotated[
        Path | None, typer.Option(help="Checkpoint whose superpixels merge, or bundled weights by name.", show_default=DEFAULT)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the first weights and the order of the images.")] = 0,
) -> None:
    """Train the cost by which superpixels merge, on BSDS500's train split, in some minutes on a CPU.

    `ainet export` writes it into the ONNX file.
    """
    with needs("training", "train"):
        from ainet.training.merging.train import train_merging as run
    run(bsds, checkpoint_path(weights), out, seed, lambda line: output.print(line, markup=False))
    print_line(f"{out}: {out.stat().st_size / 1e3:.0f} kB")
