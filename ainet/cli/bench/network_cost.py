"""`ainet bench network-cost`."""

from typing import Annotated

import typer

from ainet.cli.bench.options import RepeatsOption, ResultOption, ThreadsOption, finish, needs_packages


def network_cost(
    out: ResultOption,
    size: Annotated[str, typer.Option(help="Working WIDTHxHEIGHT, multiples of 16.")] = "480x320",
    threads: ThreadsOption = 2,
    repeats: RepeatsOption = 30,
) -> None:
    """Multiply-adds and time of the networks, as ratios to SCN."""
    with needs_packages():
        from ainet.benchmarks.speed.cases import parse_size
        from ainet.benchmarks.speed.network_cost import network_cost as run

    result = run(*parse_size(size), threads, repeats)
    finish(out, "network-cost", result, result["rows"])
