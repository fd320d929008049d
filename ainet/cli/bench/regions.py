"""`ainet bench regions`."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.bench.options import MethodOption, ResultOption, finish, needs_packages
from ainet.cli.console import errors
from ainet.cli.options import BsdsOption
from ainet.errors import UsageError


def regions(
    method: MethodOption,
    bsds: BsdsOption,
    out: ResultOption,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "val",
    starts: Annotated[str, typer.Option(help="Numbers of superpixels to merge from.")] = "1200",
    counts: Annotated[str, typer.Option(help="Numbers of regions to merge down to.")] = "20,50,100,216,384,600,864",
    step: Annotated[int, typer.Option(min=1, help="Take each STEPth image alone.")] = 1,
    model: Annotated[Path | None, typer.Option(help="ONNX file in place of the bundled AINet.", show_default=False)] = None,
) -> None:
    """ASA, BR, BP and CO of superpixels merged down to exact counts, by the plain and the learned costs."""
    with needs_packages():
        from ainet.benchmarks.accuracy.regions import run_regions
        from ainet.training.datasets import bsds500

    samples = bsds500(bsds, split)[::step]
    with errors.status("") as status:
        result = run_regions(method, samples, _numbers(starts), _numbers(counts), model, status.update)
    names = ("method", "start", "cost", "count")
    table = [{name: row[name] for name in names} | row["all"] for row in result["rows"]]
    finish(out, "regions", {"split": split, **result}, table)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"'{text}' is no list of numbers; write them as 50,100,216") from None
