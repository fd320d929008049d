"""A training run as `ainet train` starts it: data, recipe, device, processes and progress on the terminal."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

import torch
import torch.distributed as dist
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ainet.errors import DeviceError, UsageError
from ainet.models import Device
from ainet.training.checkpoint import load_checkpoint
from ainet.training.datasets import Sample
from ainet.training.given_time import GivenTime
from ainet.training.networks import UNet
from ainet.training.options import RunOptions, TrainingProgress, Validate
from ainet.training.processes import Processes
from ainet.training.recipe import load_recipe
from ainet.training.state import locked
from ainet.training.stop import parse_duration
from ainet.training.trainer import Trainer


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Train on where nobody reads on, as in `ainet train ... | head -1`."""
        with suppress(SystemExit):  # by which rich ends the program, once it has turned its output away
            super().on_broken_pipe()


def train(
    network: str,
    recipe_name: str,
    data: Callable[[Sequence[str]], Iterable[Sample]],
    out: str,
    device: str = "auto",
    budget: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    validate: Validate | None = None,
    compiled: bool = True,
    within: GivenTime | None = None,
) -> bool:
    """Train as the command line says; returns whether the run is complete. Under torchrun, one of many processes.

    `data` opens the data set: from the recipe's splits to its samples. `weights` names a checkpoint to start from. `validate` is
    handed to the trainer, unless the recipe trains on val. `compiled`: on a GPU, compile the step. The budget counts from the call.
    `within`: see `RunOptions`.

    Raises:
        DeviceError: see `choose_device`.
        UsageError: another run is training in the folder `out`.
        AINetError: see `Trainer`.
    """
    start = time.monotonic()
    device = choose_device(device)
    on_gpu = Device.parse(device).gpu is not None
    if "RANK" in os.environ:  # set by torchrun
        if on_gpu:
            device = choose_device(_own_gpu(device, os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        recipe = load_recipe(recipe_name)
        seconds = parse_duration(budget) if budget else None
        samples = list(data(recipe.splits))
        first = Processes(torch.device(device)).first
        console = _Console(quiet=not first, markup=False, highlight=False)
        with locked(Path(out)) if first else nullcontext(), _bar(console) as bar:
            report = _reporter(bar, console)
            initial = load_checkpoint(weights) if weights else None
            if validate is not None and "val" in recipe.splits:
                console.print("the recipe trains on val, so nothing is evaluated on it")
                validate = None
            options = RunOptions(
                initial=initial,
                device=device,
                compiled=compiled and on_gpu,
                validate=_told(validate, console) if validate else None,
                within=within,
                report=report,
            )
            trainer = Trainer(network, recipe, samples, out, options)
            if trainer.iteration:
                spent = "" if within is None else f", with {within.seconds - within.used:.0f} of {within.seconds:.0f} s left"
                console.print(f"going on from iteration {trainer.iteration} in {out}{spent}", soft_wrap=True)
            finished = trainer.run(None if seconds is None else seconds - (time.monotonic() - start))
        if not finished:
            console.print("stopped; run the same command to go on")
        else:
            console.print("finished" if within is None else f"finished: {_outcome(trainer)}", soft_wrap=True)
        return finished
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def choose_device(device: str) -> str:
    """`device`, or for "auto" the GPU where there is one.

    Raises:
        DeviceError: it is none of cpu, cuda and cuda:N, or not there.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    unknown = DeviceError(f"unknown device '{device}' for training; choose auto, cpu, cuda or cuda:N")
    try:
        chosen = Device.parse(device)
    except UsageError:
        raise unknown from None
    if chosen.engine not in ("cpu", "cuda"):
        raise unknown
    if chosen.gpu is not None and chosen.gpu >= torch.cuda.device_count():
        raise DeviceError(f"there is no device '{device}': PyTorch sees {torch.cuda.device_count()} GPUs; use --device cpu")
    return device


def _own_gpu(device: str, local_rank: str) -> str:
    """The GPU of one process of several."""
    if device != "cuda":
        raise DeviceError(f"under torchrun every process takes a GPU of its own, not all of them '{device}'; use --device cuda")
    return f"cuda:{local_rank}"


def _outcome(trainer: Trainer) -> str:
    """What a run within a time has come to, where it was evaluated against what it started from."""
    seen = f"{trainer.crops} crops seen in {trainer.iteration} iterations"
    accuracies = [figures["asa"] for _, figures in sorted(trainer.validations.items()) if "asa" in figures]
    if len(accuracies) < 2:
        return seen
    first, last = accuracies[0], accuracies[-1]
    verdict = "" if last >= first else "; worse than the start: do not use these weights, see the copies beside them"
    return f"{seen}; ASA on val {last:.4f}, at the start {first:.4f}{verdict}"


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    # Reports are far apart where steps are slow: the time left is judged by the last hour, not by rich's 30 seconds.
    return Progress(*columns, console=console, disable=not console.is_terminal, speed_estimate_period=3600)


def _told(validate: Validate, console: Console) -> Validate:
    """`validate`, which also prints what it finds."""

    def validate_and_tell(network: UNet) -> Mapping[str, float]:
        figures = validate(network)
        console.print("val  " + "  ".join(f"{key} {value:.4g}" for key, value in figures.items()), soft_wrap=True)
        return figures

    return validate_and_tell


def _reporter(bar: Progress, console: Console) -> Callable[[TrainingProgress], None]:
    """A moving bar on a terminal, lines elsewhere."""
    task = bar.add_task("training", total=None)

    def report(progress: TrainingProgress) -> None:
        figures = progress.figures
        text = f"loss {figures['loss']:.3f}, {1 / figures['seconds']:.1f} iterations/s"
        bar.update(task, description=text, completed=progress.iteration, total=progress.iterations)
        if not console.is_terminal:
            minutes = (progress.iterations - progress.iteration) * figures["seconds"] / 60
            line = "  ".join(f"{key} {value:.4g}" for key, value in figures.items())
            text = f"{progress.iteration}/{progress.iterations}  {progress.crops} crops  {line}  {minutes:.1f} min left"
            console.print(text, soft_wrap=True)

    return report
