"""`ainet bench proposals`."""

from typing import Annotated

import typer

from ainet.cli.bench.options import MethodOption, ResultOption, WeightsOption, finish, needs_packages, tell_skipped
from ainet.cli.console import errors
from ainet.cli.options import BsdsOption


def proposals(
    method: MethodOption,
    bsds: BsdsOption,
    out: ResultOption,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "val",
    step: Annotated[int, typer.Option(min=1, help="Take each STEPth image alone.")] = 1,
    weights: WeightsOption = None,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Keep regions of three images, for the report, in a folder beside the result.")
    ] = False,
) -> None:
    """Merge superpixels into 5 to 100 regions, and tell how well these follow objects (paper Fig. 9): their ASA."""
    with needs_packages():
        from ainet.benchmarks.accuracy.del_cost import train
        from ainet.benchmarks.accuracy.proposals import proposals as run
        from ainet.benchmarks.peers import Options
        from ainet.training.datasets import bsds500

    samples = bsds500(bsds, split)[::step]
    with errors.status("") as status:
        result = run(
            method,
            samples,
            lambda: train(bsds500(bsds, "train"), report=status.update),
            Options(weights),
            status.update,
            tell_skipped,
            out.with_suffix("") if pictures else None,
        )
    finish(out, "proposals", {"split": split, **result}, result["rows"])
