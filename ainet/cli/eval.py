"""`ainet eval`: what label maps are worth."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.console import print_line
from ainet.cli.options import BsdsOption, needs
from ainet.files import check_place, write_json


def evaluate(
    labels: Annotated[Path, typer.Option(help="Folder of label maps, as `ainet segment` writes them.", show_default=False)],
    bsds: BsdsOption,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "val",
    json: Annotated[Path | None, typer.Option(help="Also write the means to this file.")] = None,
) -> None:
    """Evaluate label maps against BSDS500: ASA, BR, BP and the rest, as the superpixel benchmark defines them."""
    with needs("evaluation", "train,bench"):
        from ainet.benchmarks.accuracy.evaluate import evaluate_folder
    from ainet.metrics import format_summary

    if json is not None:
        check_place(json)
    summary = evaluate_folder(labels, bsds, split)
    print_line(format_summary(summary))
    if json is not None:
        write_json(json, {"split": split, **asdict(summary)})
