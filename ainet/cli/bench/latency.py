"""`ainet bench latency`."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.bench.options import (
    COUNTS,
    CountsOption,
    MethodOption,
    ResultOption,
    ThreadsOption,
    WeightsOption,
    joined,
    needs_packages,
    tell_skipped,
)
from ainet.cli.console import errors, print_line, print_table

SIZES = "vga,720p,1080p,4k,8k"


def latency(
    method: MethodOption,
    out: ResultOption,
    counts: CountsOption = None,
    sizes: Annotated[
        list[str] | None,
        typer.Option(help="vga, 720p, 1080p, 4k, 8k or WIDTHxHEIGHT, or 'none'; may be repeated.", show_default=SIZES),
    ] = None,
    device: Annotated[str, typer.Option(help="Of the methods in PyTorch: cpu or cuda; ours name theirs: ainet@cuda.")] = "cpu",
    threads: ThreadsOption = 1,
    weights: WeightsOption = None,
    repeats: Annotated[int, typer.Option(help="Calls that count, of each method in each case.")] = 30,
    budget: Annotated[float, typer.Option(help="Seconds for a method in a case; what takes longer for one call is left out.")] = 30,
    stages: Annotated[
        list[str] | None,
        typer.Option(help="Batches such as 1,8,32, may be repeated: also stage times and photos/s of ours on a GPU.", show_default="none"),
    ] = None,
    image: Annotated[Path | None, typer.Option(help="Photo, resized to each size.", show_default="a synthetic picture")] = None,
) -> None:
    """Time against number of superpixels and image size, all methods in alternation in one run; memory; ratios to SCN and SSN."""
    from ainet.benchmarks.speed.cases import parse_counts_or_none, parse_sizes
    from ainet.images import read_image

    counted, sized = parse_counts_or_none(joined(counts, COUNTS)), parse_sizes(joined(sizes, SIZES))
    batches = parse_counts_or_none(joined(stages, "none"))
    picture = None if image is None else read_image(image)
    with needs_packages():
        from ainet.benchmarks.peers import Options
        from ainet.benchmarks.result import write_result
        from ainet.benchmarks.speed.latency import overview, run_latency
        from ainet.benchmarks.speed.stages import stage_overview

    options = Options(weights, device, threads)
    with errors.status("") as status:
        result = run_latency(method, counted, sized, options, repeats, budget, picture, batches, status.update, tell_skipped)
    write_result(out, "latency", result)
    print_table(overview(result))
    if result["stages"]:
        print_table(stage_overview(result["stages"]))
    for name, about in result["methods"].items():
        if not about["trained"]:
            print_line(f"{name}: random weights, as its own are not in the folder of weights; they take the same time")
    for row in result["left_out"]:
        print_line(f"left out: {row['method']}, {row['width']}x{row['height']}: {row['reason']}")
    print_line(str(out))
