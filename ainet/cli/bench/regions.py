"""`ainet bench regions`."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.bench.options import MethodOption, ResultOption, WeightsOption, finish, needs_packages
from ainet.cli.console import errors
from ainet.cli.options import BsdsOption


def regions(
    method: MethodOption,
    bsds: BsdsOption,
    out: ResultOption,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "val",
    starts: Annotated[
        list[str] | None,
        typer.Option(
            help="Numbers of superpixels to merge from, as 600,1200; may be repeated.",
            show_default="as many as segment takes for each count",
        ),
    ] = None,
    counts: Annotated[
        list[str] | None, typer.Option(help="Numbers of regions, as 50,100; may be repeated.", show_default="eight from 20 to 1200")
    ] = None,
    step: Annotated[int, typer.Option(min=1, help="Take each STEPth image alone.")] = 1,
    model: Annotated[Path | None, typer.Option(help="ONNX file in place of bundled weights.", show_default=False)] = None,
    weights: WeightsOption = None,
) -> None:
    """ASA, BR, BP and CO of superpixels, and of regions merged to exact counts by the plain and the learned costs."""
    from ainet.benchmarks.speed.cases import parse_counts

    first = parse_counts(",".join(starts)) if starts else None
    numbers = parse_counts(",".join(counts)) if counts else None
    with needs_packages():
        from ainet.benchmarks.accuracy.regions import REGIONS, run_regions
        from ainet.benchmarks.peers import Options
        from ainet.training.datasets import bsds500

    samples = bsds500(bsds, split)[::step]
    wanted = REGIONS if numbers is None else numbers
    with errors.status("") as status:
        result = run_regions(method, samples, first, wanted, model, status.update, Options(weights))
    names = ("method", "start", "cost", "count")
    table = [{name: row[name] for name in names} | row["all"] for row in result["rows"]]
    figures = [{name: row[name] for name in names[:3]} | row["all"] for row in result["figures"]]
    finish(out, "regions", {"split": split, **result}, table, figures)
