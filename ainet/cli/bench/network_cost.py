"""`ainet bench network-cost`."""

from typing import Annotated

import typer

from ainet.cli.bench.options import RepeatsOption, ResultOption, ThreadsOption, needs_packages
from ainet.cli.console import print_line, print_rows


def network_cost(
    out: ResultOption,
    size: Annotated[str, typer.Option(help="Working WIDTHxHEIGHT, multiples of 16.")] = "480x320",
    threads: ThreadsOption = 2,
    repeats: RepeatsOption = 30,
) -> None:
    """Multiply-adds and time of the networks, as ratios to SCN."""
    with needs_packages():
        from ainet.benchmarks.result import write_result
        from ainet.benchmarks.speed.cases import parse_size
        from ainet.benchmarks.speed.network_cost import network_cost as run

    height, width = parse_size(size)
    result = write_result(out, "network-cost", run(height, width, threads, repeats))
    rows = [
        (
            row["network"],
            f"{row['multiply_adds']:,}",
            f"{row['multiply_adds_ratio']:.3f}",
            f"{row['median_ms']:.1f}",
            f"{row['time_ratio']:.3f}",
        )
        for row in result["rows"]
    ]
    print_rows([("network", "multiply-adds", "/ SCN", "median ms", "/ SCN"), *rows])
    print_line(str(out))
