"""`ainet bench sweep`."""

from typing import Annotated

import typer

from ainet.cli.bench.options import ResultOption, finish, needs_packages
from ainet.cli.console import errors
from ainet.cli.options import BsdsOption


def sweep(
    method: Annotated[str, typer.Argument(help="slic, slic-cv, slico, lsc, seeds, snic or fast-slic.", show_default=False)],
    bsds: BsdsOption,
    out: ResultOption,
    images: Annotated[int, typer.Option(min=1, max=200, help="How many of train, drawn with a fixed seed.")] = 20,
) -> None:
    """Choose the parameters of a classic method on BSDS500 train, by mean ASA."""
    with needs_packages():
        from ainet.benchmarks.peers.sweep import sweep as run

    with errors.status("") as status:
        result = run(method, bsds, images, status.update)
    finish(out, "sweep", result, result["rows"])
