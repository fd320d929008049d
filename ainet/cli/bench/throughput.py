"""`ainet bench throughput`."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.bench.options import RepeatsOption, ResultOption, finish, needs_packages, tell_skipped


def throughput(
    folder: Annotated[Path, typer.Argument(help="Folder of photos.", show_default=False)],
    out: ResultOption,
    n_segments: Annotated[int, typer.Option("-n", "--n-segments", min=1, help="Superpixels of each photo.")] = 600,
    jobs: Annotated[int, typer.Option(min=1, help="As of `ainet segment`; processes of the other methods.")] = 2,
    repeats: RepeatsOption = 3,
) -> None:
    """Photos a second of a folder, from the shell: `ainet segment` beside SLIC of OpenCV and of scikit-image, in one run."""
    with needs_packages():
        from ainet.benchmarks.speed.throughput import throughput as run

    result = run(folder, n_segments, jobs, repeats, tell_skipped)
    finish(out, "throughput", result, result["rows"])
