"""`ainet bench sweep`."""

from typing import Annotated

import typer

from ainet.cli.bench.options import BsdsOption, ResultOption, needs_packages
from ainet.cli.console import errors, print_line, print_rows


def sweep(
    method: Annotated[str, typer.Argument(help="slic, slic-cv, slico, lsc, seeds or snic.", show_default=False)],
    bsds: BsdsOption,
    out: ResultOption,
    images: Annotated[int, typer.Option(min=1, max=200, help="How many of train, drawn with a fixed seed.")] = 20,
) -> None:
    """Choose the parameters of a classic method on BSDS500 train, by mean ASA."""
    with needs_packages():
        from ainet.benchmarks.peers.sweep import METRICS
        from ainet.benchmarks.peers.sweep import sweep as run
        from ainet.benchmarks.result import write_result

    with errors.status("") as status:
        result = write_result(out, "sweep", run(method, bsds, images, status.update))
    names = list(result["grid"])
    rows = [(*(str(row[name]) for name in names), *(f"{row[metric]:.4f}" for metric in METRICS)) for row in result["rows"]]
    print_rows([(*names, "ASA", "BR", "BP"), *rows])
    print_line(str(out))
