"""`ainet bench training-speed`."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.bench.options import ResultOption, finish, needs_packages
from ainet.cli.options import BSDS_HELP, TrainingDeviceOption


def training_speed(
    out: ResultOption,
    network: Annotated[str, typer.Option(help="ainet, scn or another network of `ainet train`.")] = "ainet",
    recipe: Annotated[str, typer.Option(help="Name of a recipe, or a .toml file.")] = "interim-cpu",
    bsds: Annotated[Path | None, typer.Option(help=BSDS_HELP, show_default="synthetic pictures")] = None,
    device: TrainingDeviceOption = "auto",
    steps: Annotated[int, typer.Option(min=2, help="Steps that count.")] = 10,
) -> None:
    """Time of a step of `ainet train`, of its parts each alone, and of the whole recipe at this speed."""
    with needs_packages():
        from ainet.benchmarks.speed.training_speed import some_samples
        from ainet.benchmarks.speed.training_speed import training_speed as run
        from ainet.training.recipe import load_recipe
        from ainet.training.train import choose_device

    result = run(network, load_recipe(recipe), some_samples(bsds), choose_device(device), steps)
    figures = ("seconds_per_step", "iterations_per_second", "hours_of_the_recipe")
    finish(out, "training-speed", result, [{name: result[name] for name in figures}], [result["parts_seconds"]])
