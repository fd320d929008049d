"""`ainet bench latency-table`."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.bench.options import ResultOption, finish, needs_packages, tell_skipped
from ainet.cli.console import errors, print_line


def latency_table(
    photo: Annotated[Path, typer.Argument(help="Photo, resized to each size.", show_default=False)],
    out: ResultOption,
    quick: Annotated[bool, typer.Option("--quick", help="The smallest size alone, three rounds: a trial.")] = False,
) -> None:
    """600 superpixels of 481x321, 1920x1080 and 4000x3000 on one thread and on two: ours, exact and plain, beside SLIC and its kin."""
    with needs_packages():
        from ainet.benchmarks.speed.latency_table import CASES, REPEATS, overview
        from ainet.benchmarks.speed.latency_table import latency_table as run
    from ainet.images import read_image

    cases, repeats = (CASES[:1], 3) if quick else (CASES, REPEATS)
    with errors.status("") as status:
        result = run(read_image(photo), cases=cases, repeats=repeats, progress=status.update, on_skip=tell_skipped)
    for row in result["left_out"]:
        print_line(f"left out: {row['method']}, {row['width']}x{row['height']}: a call takes {row['seconds']:.0f} s")
    finish(out, "latency-table", result, overview(result))
