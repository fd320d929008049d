"""`ainet bench int8`."""

from typing import Annotated

import typer

from ainet.arguments import check_choice
from ainet.cli.bench.options import COUNTS, CountsOption, RepeatsOption, ResultOption, ThreadsOption, finish, joined, needs_packages
from ainet.cli.console import errors
from ainet.cli.options import BsdsOption
from ainet.models import BUNDLED


def int8(
    bsds: BsdsOption,
    out: ResultOption,
    threads: ThreadsOption = 2,
    repeats: RepeatsOption = 25,
    step: Annotated[int, typer.Option(min=1, help="Take each STEPth image of val alone.")] = 1,
    counts: CountsOption = None,
    network: Annotated[str, typer.Option(help=f"{', '.join(BUNDLED)}.")] = "ainet",
) -> None:
    """What the bundled INT8 model costs and gains: accuracy on val against float32, time per engine, each layer's damage."""
    from ainet.benchmarks.speed.cases import parse_counts_or_none

    check_choice("network", network, BUNDLED)
    numbers = parse_counts_or_none(joined(counts, COUNTS))
    with needs_packages():
        from ainet.benchmarks.speed.int8 import int8 as run

    with errors.status("speed") as status:
        result = run(bsds, threads, repeats, step, numbers, network, status.update)
    speed = [{"engine": name, **row} for name, row in result["speed"].items()]
    accuracy = [
        {"quality": row["quality"], "superpixels": row["n_segments"], **row["change"], "worst ASA": row["worst"]["asa"]["change"]}
        for row in result["accuracy"]
    ]
    finish(out, "int8", result, speed, accuracy)
