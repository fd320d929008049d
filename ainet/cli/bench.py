"""`ainet bench`: accuracy, latency and the report."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.console import errors, print_line
from ainet.errors import DeviceError

app = typer.Typer(help="Measure AINet, SCN and their peers.", no_args_is_help=True, rich_markup_mode=None)

MethodOption = Annotated[
    list[str], typer.Option("--method", help="ainet, scn, ssn, seal, ers, slic ...; may be repeated.", show_default=False)
]
WeightsOption = Annotated[Path | None, typer.Option(help="Folder with ssn.safetensors and seal.safetensors.", show_default=False)]


@app.command()
def accuracy(
    bsds: Annotated[Path, typer.Option(help="Folder with BSDS500's images/ and groundTruth/.", show_default=False)],
    method: MethodOption,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the run; goes on from what is found there.", show_default=False)],
    split: Annotated[str, typer.Option(help="train, val or test.")] = "val",
    weights: WeightsOption = None,
    jobs: Annotated[int, typer.Option(min=1, help="Images at the same time, each in a process of one thread.")] = 1,
    keep_labels: Annotated[bool, typer.Option("--keep-labels", help="Keep all label maps as CSV (0.6 MB each).")] = False,
) -> None:
    """ASA, BR, BP and the rest at the 15 scales of the public protocol. Stop and go on at any time."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    try:
        from ainet.benchmarks.accuracy import run_accuracy
    except ImportError as error:
        raise _missing(error) from error
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done)

        results = run_accuracy(method, bsds, split, out, weights, jobs, keep_labels, progress, _skipped)
    for path in results:
        print_line(str(path))


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Results: JSON files, or folders of runs.", show_default=False)],
    out: Annotated[Path, typer.Option("-o", "--out", help="HTML file to write.", show_default=False)],
    bsds: Annotated[
        Path | None, typer.Option(help="BSDS500, for pictures; needs the folders of accuracy runs.", show_default=False)
    ] = None,
    plots: Annotated[Path | None, typer.Option(help="Also write the plots as SVG and PNG into this folder.", show_default=False)] = None,
) -> None:
    """All results on one page that needs nothing else: plots, tables, pictures, and the figures behind them."""
    try:
        from ainet.benchmarks.report import write_report
    except ImportError as error:
        raise _missing(error) from error
    for path in write_report(runs, out, bsds, plots):
        print_line(str(path))


def _skipped(line: str) -> None:
    errors.print(f"skipped: {line}", markup=False)


def _missing(error: ImportError) -> DeviceError:
    return DeviceError(f"benchmarks need the package {error.name}: pip install 'ainet-toolkit[train,bench]'")
