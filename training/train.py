"""A training run as `ainet train` starts it: data, recipe, device, processes and progress on the terminal."""

import os
from collections.abc import Callable, Iterable, Sequence

import torch
import torch.distributed as dist
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ainet.training.checkpoint import load_checkpoint
from ainet.training.datasets import Sample
from ainet.training.recipe import load_recipe
from ainet.training.stop import parse_duration
from ainet.training.trainer import Progress, Trainer, Validate


def train(
    network: str,
    recipe_name: str,
    data: Callable[[Sequence[str]], Iterable[Sample]],
    out: str,
    device: str = "auto",
    budget: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    validate: Validate | None = None,
) -> bool:
    """Train as the command line says; returns whether the recipe is complete. Under torchrun, one of many processes.

    `data` opens the data set: from the recipe's splits to its samples. `weights` names a checkpoint to start from. `validate` is
    handed to the trainer.

    Raises:
        AINetError: see `Trainer`.
    """
    device = choose_device(device)
    if "RANK" in os.environ:  # set by torchrun
        if device == "cuda":
            device = f"cuda:{os.environ['LOCAL_RANK']}"
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        recipe = load_recipe(recipe_name)
        seconds = parse_duration(budget) if budget else None
        samples = list(data(recipe.splits))
        console = Console(quiet=not _is_first_process())
        with _bar(console) as bar:
            report = _reporter(bar, console)
            initial = load_checkpoint(weights) if weights else None
            on_gpu = device.startswith("cuda")
            trainer = Trainer(
                network,
                recipe,
                samples,
                out,
                initial=initial,
                device=device,
                compiled=on_gpu,
                captured=on_gpu,
                validate=validate,
                report=report,
            )
            if trainer.iteration:
                console.print(f"going on from iteration {trainer.iteration} in {out}")
            return trainer.run(seconds)
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def choose_device(device: str) -> str:
    """`device`, or for "auto" the GPU where there is one."""
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _is_first_process() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _bar(console: Console) -> Bar:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Bar(*columns, console=console, disable=not console.is_terminal)


def _reporter(bar: Bar, console: Console) -> Callable[[Progress], None]:
    """A moving bar on a terminal, lines elsewhere."""
    task = bar.add_task("training", total=None)

    def report(progress: Progress) -> None:
        figures = progress.figures
        text = f"loss {figures['loss']:.3f}, {1 / figures['seconds']:.1f} iterations/s"
        bar.update(task, description=text, completed=progress.iteration, total=progress.iterations)
        if not console.is_terminal:
            minutes = (progress.iterations - progress.iteration) * figures["seconds"] / 60
            line = "  ".join(f"{key} {value:.4g}" for key, value in figures.items())
            print(f"{progress.iteration}/{progress.iterations}  {line}  {minutes:.1f} min left", flush=True)

    return report
