"""`ainet bench startup`."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.bench.options import RepeatsOption, ResultOption, finish, needs_packages


def startup(
    photo: Annotated[Path, typer.Argument(help="Photo to segment.", show_default=False)],
    out: ResultOption,
    device: Annotated[str, typer.Option(help="As of `ainet segment`.")] = "auto",
    repeats: RepeatsOption = 9,
) -> None:
    """Seconds of `import ainet` beyond Python's own start, and of one photo from the shell, each in a fresh process."""
    with needs_packages():
        from ainet.benchmarks.speed.startup import startup as run

    result = run(photo, device, repeats)
    finish(out, "startup", result, [result["seconds"]])
