"""`ainet bench ablation`."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.bench.options import needs_packages
from ainet.cli.console import print_line, print_table
from ainet.cli.options import BsdsOption, TrainingDeviceOption


def ablation(
    bsds: BsdsOption,
    out: Annotated[Path, typer.Option("-o", "--out", help="Output folder; goes on from the states found there.", show_default=False)],
    recipe: Annotated[str, typer.Option(help="Name of a recipe, or a .toml file; with boundary loss and jitter.")] = "ablation-cpu",
    device: TrainingDeviceOption = "auto",
    budget: Annotated[str | None, typer.Option(help="Stop with a checkpoint after this time: 90s, 25m, 1.5h.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Images evaluated at the same time, each in a process of one thread.")] = 1,
) -> None:
    """Train AINet without each of its parts and with all of them (paper Fig. 6), and evaluate each on BSDS500 val.

    The result, OUT/ablation.json, goes into a report: ainet bench report OUT/ablation.json -o report.html
    """
    from ainet.training.stop import parse_duration

    seconds = parse_duration(budget) if budget else None
    with needs_packages():
        from ainet.benchmarks.accuracy.ablation import run_ablation
        from ainet.benchmarks.report.results import about_recipe
        from ainet.training.recipe import load_recipe
    result = run_ablation(load_recipe(recipe), bsds, out, device=device, budget=seconds, jobs=jobs, report=print_line)
    if result["figures"]:
        print_line(about_recipe(result["recipe"]))
        print_line("means of the scales that ask for 384 to 1200 superpixels:")
        print_table([{"variant": name, **figures["scales"]} for name, figures in result["figures"].items()])
    print_line("finished" if result["complete"] else "stopped; run the same command to go on")
