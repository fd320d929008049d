"""`ainet train-merging`: the cost by which superpixels merge."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.console import output, print_line
from ainet.errors import DeviceError


def train_merging(
    bsds: Annotated[Path, typer.Option(help="Folder with BSDS500's images/ and groundTruth/.", show_default=False)],
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", help="Checkpoint (.safetensors) with the cost, or a cost that needs no network (.json).", show_default=False
        ),
    ],
    weights: Annotated[Path | None, typer.Option(help="Checkpoint whose superpixels merge.", show_default="the bundled AINet")] = None,
    seed: Annotated[int, typer.Option(help="Of the first weights and the order of the images.")] = 0,
) -> None:
    """Train the cost by which superpixels merge, on BSDS500's train split, in some minutes on a CPU.

    `ainet export` writes it into the ONNX file.
    """
    from ainet.models import bundled

    try:
        from ainet.training.merging.train import train_merging as run
    except ImportError as error:
        raise DeviceError(f"training needs the package {error.name}: pip install 'ainet-toolkit[train]'") from error
    run(bsds, bundled("ainet.safetensors") if weights is None else weights, out, seed, lambda line: output.print(line, markup=False))
    print_line(f"{out}: {out.stat().st_size / 1e3:.0f} kB")
