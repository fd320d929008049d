"""`ainet bench accuracy`."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.bench.options import MethodOption, WeightsOption, needs_packages, tell_skipped
from ainet.cli.console import errors, print_line
from ainet.cli.options import BsdsOrNone
from ainet.errors import UsageError


def accuracy(
    method: MethodOption,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the run; goes on from what is found there.", show_default=False)],
    bsds: BsdsOrNone = None,
    nyuv2: Annotated[Path | None, typer.Option(help="Folder of NYUv2, in place of BSDS500.", show_default=False)] = None,
    split: Annotated[str, typer.Option(help="BSDS500: train, val or test; NYUv2: train or test.")] = "val",
    weights: WeightsOption = None,
    jobs: Annotated[int, typer.Option(min=1, help="Images at the same time, each in a process of one thread.")] = 1,
    keep_labels: Annotated[bool, typer.Option("--keep-labels", help="Keep all label maps as CSV (0.6 MB each).")] = False,
) -> None:
    """ASA, BR, BP and the rest at all scales of the public protocol. Stop and go on at any time."""
    root = bsds or nyuv2
    if root is None or (bsds and nyuv2):
        raise UsageError("name one data set: --bsds FOLDER or --nyuv2 FOLDER")
    with needs_packages():
        from ainet.benchmarks.accuracy import protocol
        from ainet.benchmarks.accuracy.run import run_accuracy

    data = protocol.BSDS if bsds else protocol.NYUV2
    with errors.status("") as status:

        def progress(name: str, done: int, total: int) -> None:
            status.update(f"{name}: {done} of {total} images")

        results = run_accuracy(method, root, split, out, weights, jobs, keep_labels, progress, tell_skipped, data)
    for path in results:
        print_line(str(path))
