"""`ainet bench regions`."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.bench.options import BsdsOption, MethodOption, ResultOption, needs_packages
from ainet.cli.console import errors, print_line, print_rows
from ainet.errors import UsageError


def regions(
    method: MethodOption,
    bsds: BsdsOption,
    out: ResultOption,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "val",
    starts: Annotated[str, typer.Option(help="Numbers of superpixels to merge from.")] = "1200",
    counts: Annotated[str, typer.Option(help="Numbers of regions to merge down to.")] = "20,50,100,216,384,600,864",
    every: Annotated[int, typer.Option(min=1, help="Take each so many-th image.")] = 1,
    model: Annotated[Path | None, typer.Option(help="ONNX file in place of the bundled AINet.", show_default=False)] = None,
) -> None:
    """ASA, BR, BP and CO of superpixels merged down to exact counts, by the plain and the learned costs."""
    with needs_packages():
        from ainet.benchmarks.accuracy.regions import METRICS, run_regions
        from ainet.benchmarks.result import write_result

    with errors.status("") as status:
        numbers = (_numbers(starts), _numbers(counts))
        result = write_result(out, "regions", run_regions(method, bsds, split, *numbers, every, model, status.update))
    names = ("method", "start", "cost", "count")
    rows = [(*(str(row[name]) for name in names), *(f"{row['all'][metric]:.4f}" for metric in METRICS)) for row in result["rows"]]
    print_rows([(*names, "ASA", "BR", "BP", "CO"), *rows])
    print_line(str(out))


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"'{text}' is no list of numbers; write them as 50,100,216") from None
