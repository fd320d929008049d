"""`ainet bench`: accuracy, latency and the report."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.console import errors, print_line
from ainet.errors import DeviceError, UsageError

app = typer.Typer(help="Measure AINet, SCN and their peers.", no_args_is_help=True, rich_markup_mode=None)

MethodOption = Annotated[
    list[str], typer.Option("--method", help="ainet, scn, checkpoint, ssn, seal, ers, slic ...; may be repeated.", show_default=False)
]
WeightsOption = Annotated[
    Path | None, typer.Option(help="Folder with ssn.safetensors and seal.safetensors, or what `ainet train` wrote.", show_default=False)
]


@app.command()
def accuracy(
    method: MethodOption,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the run; goes on from what is found there.", show_default=False)],
    bsds: Annotated[Path | None, typer.Option(help="Folder with BSDS500's images/ and groundTruth/.", show_default=False)] = None,
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
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    try:
        from ainet.benchmarks.accuracy.protocol import BSDS, NYUV2
        from ainet.benchmarks.accuracy.run import run_accuracy
    except ImportError as error:
        raise _missing(error) from error
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done)

        results = run_accuracy(method, root, split, out, weights, jobs, keep_labels, progress, _skipped, BSDS if bsds else NYUV2)
    for path in results:
        print_line(str(path))


@app.command()
def latency(
    method: MethodOption,
    out: Annotated[Path, typer.Option("-o", "--out", help="JSON file to write.", show_default=False)],
    counts: Annotated[str, typer.Option(help="Numbers of superpixels at 481x321, or 'none'.")] = "96,216,384,600,864,1176,1536,1944",
    sizes: Annotated[str, typer.Option(help="vga, 720p, 1080p, 4k, 8k or WIDTHxHEIGHT, or 'none'.")] = "vga,720p,1080p,4k,8k",
    device: Annotated[str, typer.Option(help="Of the methods in PyTorch: cpu or cuda; ours name theirs: ainet@cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Threads of the CPU.")] = 1,
    weights: WeightsOption = None,
    repeats: Annotated[int, typer.Option(help="Calls that count, of each method in each case.")] = 30,
    budget: Annotated[float, typer.Option(help="Seconds for a method in a case; what takes longer for one call is left out.")] = 30,
    image: Annotated[Path | None, typer.Option(help="Photo, resized to each size.", show_default="a synthetic picture")] = None,
) -> None:
    """Time against number of superpixels and image size, all methods taking turns in one run; memory; ratios to SCN and SSN.

    Stop and go on at any time: what is finished is kept beside the result.
    """
    try:
        from ainet.benchmarks.peers import Options
        from ainet.benchmarks.speed.cases import parse_counts, parse_sizes
        from ainet.benchmarks.speed.latency import run_latency
    except ImportError as error:
        raise _missing(error) from error
    from ainet.files import atomic_path, write_json
    from ainet.images import read_image

    options = Options(weights, device, threads)
    picture = None if image is None else read_image(image)
    keep = out.with_suffix(".partial.json")
    with atomic_path(out) as temporary, errors.status("") as status:  # says now whether it can be written
        progress = status.update if errors.is_terminal else lambda line: None
        counted, sized = parse_counts(counts), parse_sizes(sizes)
        result = run_latency(method, counted, sized, options, repeats, budget, picture, progress, _skipped, keep)
        write_json(temporary, result)
    for name, about in result["methods"].items():
        if not about["trained"]:
            print_line(f"{name}: random weights, as its own are not in the folder of weights; they take the same time")
    for row in result["left_out"]:
        print_line(f"left out: {row['method']}, {row['width']}x{row['height']}: {row['reason']}")
    print_line(str(out))


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Results: JSON files, or folders of runs.", show_default=False)],
    out: Annotated[Path, typer.Option("-o", "--out", help="HTML file to write.", show_default=False)],
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data set, for pictures; needs the folders of accuracy runs.", show_default=False)
    ] = None,
    plots: Annotated[Path | None, typer.Option(help="Also write the plots as SVG and PNG into this folder.", show_default=False)] = None,
) -> None:
    """All results on one page that needs nothing else: plots, tables, pictures, and the figures behind them."""
    try:
        from ainet.benchmarks.report import write_report
    except ImportError as error:
        raise _missing(error) from error
    for path in write_report(runs, out, data, plots):
        print_line(str(path))


def _skipped(line: str) -> None:
    errors.print(f"skipped: {line}", markup=False)


def _missing(error: ImportError) -> DeviceError:
    return DeviceError(f"benchmarks need the package {error.name}: pip install 'ainet-toolkit[train,bench]'")
