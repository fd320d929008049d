"""`ainet bench int8`."""

from typing import Annotated

import typer

from ainet.cli.bench.options import RepeatsOption, ResultOption, ThreadsOption, finish, needs_packages
from ainet.cli.console import errors
from ainet.cli.options import BsdsOption


def int8(
    bsds: BsdsOption,
    out: ResultOption,
    threads: ThreadsOption = 2,
    repeats: RepeatsOption = 25,
    step: Annotated[int, typer.Option(min=1, help="Take each STEPth image of val alone.")] = 1,
    counts: Annotated[str, typer.Option(help="Numbers of superpixels.")] = "96,216,384,600,864,1176,1536,1944",
    network: Annotated[str, typer.Option(help="ainet or scn.")] = "ainet",
) -> None:
    """What the bundled INT8 model costs and gains: accuracy on val against float32, time per engine, each layer's damage."""
    with needs_packages():
        from ainet.benchmarks.speed.cases import parse_counts
        from ainet.benchmarks.speed.int8 import int8 as run

    with errors.status("speed") as status:
        result = run(bsds, threads, repeats, step, parse_counts(counts), network, status.update)
    speed = [{"engine": name, **row} for name, row in result["speed"].items()]
    accuracy = [
        {"quality": row["quality"], "superpixels": row["n_segments"], **row["change"], "worst ASA": row["worst"]["asa"]["change"]}
        for row in result["accuracy"]
    ]
    finish(out, "int8", result, speed, accuracy)
