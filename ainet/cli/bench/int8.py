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
) -> None:
    """What INT8 costs and gains: accuracy on val, time per engine, each layer's damage, how many calibration images are enough."""
    with needs_packages():
        from ainet.benchmarks.speed.int8 import int8 as run

    with errors.status("calibrating") as status:
        result = run(bsds, threads, repeats, step, status.update)
    speed = [{"engine": name, **row} for name, row in result["speed"].items()]
    accuracy = [{"model": name, **row} for name, row in result["accuracy"].items()]
    finish(out, "int8", result, speed, accuracy)
