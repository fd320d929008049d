"""`ainet bench int8`."""

from typing import Annotated

import typer

from ainet.cli.bench.options import BsdsOption, RepeatsOption, ResultOption, ThreadsOption, needs_packages
from ainet.cli.console import errors, print_line, print_rows


def int8(
    bsds: BsdsOption,
    out: ResultOption,
    threads: ThreadsOption = 2,
    repeats: RepeatsOption = 25,
    step: Annotated[int, typer.Option(min=1, help="Take each STEPth image of val alone.")] = 1,
) -> None:
    """What INT8 costs and gains: accuracy on val, time per engine, each layer's damage, how many calibration images are enough."""
    with needs_packages():
        from ainet.benchmarks.result import write_result
        from ainet.benchmarks.speed.int8 import int8 as run

    with errors.status("calibrating") as status:
        result = run(bsds, threads, repeats, step, status.update)
    write_result(out, "int8", result)
    rows = [(name, f"{one['median_ms']:.2f}", f"{one['ratio']:.2f}") for name, one in result["speed"].items()]
    print_rows([("engine", "median ms", "speed / ONNX Runtime fp32"), *rows])
    rows = [(name, *(f"{one[key]:.5f}" for key in ("asa", "br", "bp")), f"{one['equal']:.2%}") for name, one in result["accuracy"].items()]
    print_rows([("model", "ASA", "BR", "BP", "best cell equal"), *rows])
    print_line(str(out))
