"""`ainet bench startup`."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.bench.options import RepeatsOption, ResultOption, needs_packages
from ainet.cli.console import print_line, print_rows


def startup(
    photo: Annotated[Path, typer.Argument(help="Photo to segment.", show_default=False)],
    out: ResultOption,
    device: Annotated[str, typer.Option(help="As of `ainet segment`.")] = "auto",
    repeats: RepeatsOption = 9,
) -> None:
    """Time of `import ainet` and of one photo from the shell, each in a fresh process."""
    with needs_packages():
        from ainet.benchmarks.result import write_result
        from ainet.benchmarks.speed.startup import startup as run

    result = write_result(out, "startup", run(photo, device, repeats))
    names = {"import_ainet": "import ainet, beyond Python's own start", "segment_photo": f"ainet segment {photo.name}"}
    print_rows([("what", "median s"), *((names[name], f"{seconds:.3f}") for name, seconds in result["seconds"].items())])
    print_line(str(out))
