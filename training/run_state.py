"""A training run as a state: what it is made of, one step, and how it is saved and gone on with. `Trainer` runs it."""

import operator
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ainet.errors import AINetError, ModelError, UsageError
from ainet.files import is_file
from ainet.training.augment import Batch, CropSampler
from ainet.training.boundary import sample_patches
from ainet.training.checkpoint import save_checkpoint
from ainet.training.datasets.resident import ResidentData
from ainet.training.datasets.sample import Sample
from ainet.training.memory import MEMORY_ERRORS, is_out_of_memory
from ainet.training.networks import UNet, build, initialise
from ainet.training.networks.ssn import SSN
from ainet.training.optimizers import check_finite, load_moments, make_optimizers
from ainet.training.options import DEFAULTS, RunOptions
from ainet.training.processes import Processes
from ainet.training.recipe import Recipe
from ainet.training.ssn import SSNStep
from ainet.training.state import STATE, read_state, whole_state, write_state
from ainet.training.step import FIGURES, TrainingStep, boundary_label, has_fast_bf16

WEIGHTS = "weights.safetensors"
STATE_FORMAT = 2


class TrainingError(AINetError):
    """The training has gone wrong; the last good checkpoint is kept."""


class RunState:
    """Network, average, optimizers and data of a run, as far as it has come.

    Args:
        network: a name of `ainet.training.networks`, or "ssn".
        recipe: what to compute.
        samples: the training images.
        out: output folder; training goes on from the state found there.
        options: where and how.

    Raises:
        ModelError: the state in `out` is damaged, or belongs to another recipe, network, start, data set or number of processes;
            the initial weights are of another network; the processes find states of different iterations.
        ImageError: a training image or label cannot be read, or an image has no label.
        UsageError: the data do not fit the recipe, or into memory; or several processes have a time, each by its own clock.
    """

    def __init__(
        self, network: str, recipe: Recipe, samples: Iterable[Sample], out: str | os.PathLike[str], options: RunOptions = DEFAULTS
    ) -> None:
        self.name, self.recipe, self.out, self.options = network, recipe, Path(out), options
        self.device = torch.device(options.device)
        self.bf16 = recipe.bf16 and has_fast_bf16(self.device)
        self.processes = Processes(self.device)
        if options.within is not None and self.processes.count > 1:
            raise UsageError("a run within a time has one process; with several, give the recipe as many iterations as the time is for")
        self.iteration, self.seconds = 0, 0.0  # so far; seconds with validation and saving
        self.validations: dict[int, dict[str, float]] = {}  # figures by iteration
        self._lr = 0.0  # of the last step
        self._statistics: list[Tensor] = []  # of BatchNorm, as they were before the step that is being done
        self._losses: list[Tensor] = []  # `FIGURES` of every iteration since the last report
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # crops all have one size

        try:
            data = ResidentData.load(samples, self.device)
        except MEMORY_ERRORS as error:
            if not is_out_of_memory(error):
                raise
            raise UsageError(
                f"not enough memory on {self.device} to hold all training images and labels; scale them down, or train on fewer"
            ) from error
        processes = self.processes.rank, self.processes.count
        self.sampler = CropSampler(
            data, recipe.crop, recipe.batch_size, recipe.seed, recipe.jitter, recipe.annotations, *processes, recipe.scales, recipe.colour
        )
        torch.manual_seed(recipe.seed)
        untrained = build_network(network)
        if options.initial is not None:
            if options.initial.name != network:
                raise ModelError(f"the weights to start from are of the network '{options.initial.name}', not of '{network}'; name others")
            untrained.load_state_dict(options.initial.network.state_dict())
        self.network = untrained.to(self.device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.ema = AveragedModel(self.network, multi_avg_fn=self._average, use_buffers=True).eval().requires_grad_(False)
        self.optimizers = make_optimizers(self.network, recipe, fused=self.device.type == "cuda")
        self._resume()
        if len(iterations := set(self.processes.each(self.iteration))) > 1:
            raise ModelError(
                f"the processes would go on from different iterations, {min(iterations)} and {max(iterations)}; "
                f"{out} must be one folder for all hosts, or a copy of the first one's"
            )
        self._forward = self._prepared_step()

    @property
    def position(self) -> float:
        """How far the schedule has come, in iterations of the recipe."""
        within = self.options.within
        return self.iteration if within is None else self.recipe.iterations * within.share

    @property
    def crops(self) -> int:
        """How many crops the network has seen."""
        return self.iteration * self.recipe.batch_size

    def step(self) -> Tensor:
        """One iteration; gives its `FIGURES` (6,). Does not wait for the device."""
        self._lr = self.recipe.lr_at(self.position)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self._lr
        batch = self.sampler.batch(self.iteration)
        corners = self.patches(batch)
        if self.processes.count > 1:
            self._statistics = [buffer.clone() for buffer in self.network.buffers()]
        torch.compiler.cudagraph_mark_step_begin()
        loss, figures = self._forward(batch, corners)
        figures = figures.clone()  # a CUDA graph overwrites its own in the next step
        self.network.zero_grad()
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
        self.ema.update_parameters(self.network)
        self.iteration += 1
        if self.options.within is not None:
            self.options.within.step_done()
        self._statistics.clear()
        return figures

    def patches(self, batch: Batch) -> Tensor | None:
        """The corners (P, 3) of the patches for the boundary loss of this iteration; None where it is left out."""
        if self.recipe.boundary == "off" or self.position < self.recipe.boundary_start:
            return None
        return sample_patches(boundary_label(batch, self.recipe), self.sampler.generator(self.iteration))

    def save(self) -> None:
        """Write the state and the EMA weights, each whole or not at all. Every process calls it, the first one writes.

        Raises:
            TrainingError: a loss since the last report or a weight is not finite; nothing is written.
            OutputError: a file cannot be written; the one before stays.
        """
        self._finite_losses()
        self._write(self.processes.first)

    def _left_alone(self) -> "TrainingError":
        """Write the state as it was before the step in which another process was lost, on each host that is left; gives the error."""
        for buffer, before in zip(self.network.buffers(), self._statistics, strict=bool(self._statistics)):
            buffer.copy_(before)
        self._write(self.processes.first_here)
        return TrainingError(
            f"another process of this run, or its host, was lost at iteration {self.iteration}; {self.out} holds a checkpoint of it: "
            "to go on, start the same command again on all hosts"
        )

    def _write(self, here: bool) -> None:
        values = (*self.network.state_dict().values(), *self.ema.state_dict().values())
        if not all(value.isfinite().all() for value in values):
            raise TrainingError(f"the weights are not finite after iteration {self.iteration - 1}. {self._advice()}")
        if not here:
            return
        state = {
            "iteration": self.iteration,
            "seconds": self.seconds,
            "validations": self.validations,
            "time": None if self.options.within is None else self.options.within.state(),
            "weights": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        write_state(self.out, self._made_with() | state)
        config = {"network": self.name, "recipe": self.recipe.to_dict(), "iteration": self.iteration, "crops": self.crops, "weights": "EMA"}
        if self.iteration in self.validations:
            config["val"] = self.validations[self.iteration]
        if self.options.within is not None:
            config["within"] = self.options.within.seconds
        if self.options.initial is not None:
            config["initial"] = self.options.initial.sha256
        save_checkpoint(self.out / WEIGHTS, self.ema.module, config)

    def _made_with(self) -> dict[str, Any]:
        """What a state must have been made with to go on here."""
        return {
            "format": STATE_FORMAT,
            "network": self.name,
            "initial": None if self.options.initial is None else self.options.initial.sha256,
            "data": self.sampler.data.summary,
            "processes": self.processes.count,
            "within": None if self.options.within is None else self.options.within.seconds,
            "recipe": self.recipe.to_dict(),
        }

    def _resume(self) -> None:
        state = read_state(self.out, self._made_with(), self.device)
        if state is None:
            return
        with whole_state(self.out):
            for module, values in ((self.network, state["weights"]), (self.ema, state["ema"])):
                module.load_state_dict(values)
                check_finite(module.state_dict())
            for optimizer, found in zip(self.optimizers, state["optimizers"], strict=True):
                load_moments(optimizer, found)
            self.iteration, self.seconds = operator.index(state["iteration"]), float(state["seconds"])
            last = float("inf") if self.options.within is not None else self.recipe.iterations
            if not (0 <= self.iteration <= last and 0 <= self.seconds < float("inf")):
                raise ValueError(f"iteration {self.iteration} after {self.seconds} seconds")
            self.validations = {operator.index(number): dict(figures) for number, figures in state.get("validations", {}).items()}
            if self.options.within is not None:
                self.options.within.go_on(state["time"])

    def _prepared_step(self) -> nn.Module:
        """Network and loss, shared by several processes and compiled where asked."""
        step: nn.Module
        if isinstance(self.network, SSN):
            step = SSNStep(self.network, self.recipe, self.sampler.classes, self.bf16)
        else:
            step = TrainingStep(self.network, self.recipe, self.sampler.classes, self.bf16).to(self.device)
        step = self.processes.distributed(step)
        if self.options.compiled:
            graphs = self.device.type == "cuda" and self.processes.count == 1
            step.compile(mode="reduce-overhead" if graphs else "default")
        return step

    @torch.no_grad()
    def _average(self, averaged: tuple[Tensor, ...] | list[Tensor], live: tuple[Tensor, ...] | list[Tensor], count: Tensor | int) -> None:
        """Move the averaged values towards the live ones, in the first updates faster, so that a random start is soon forgotten."""
        decay = min(self.recipe.ema_decay, (1 + self.iteration) / (10 + self.iteration))
        if averaged[0].is_floating_point():  # not BatchNorm's count of batches
            torch._foreach_lerp_(averaged, live, 1 - decay)

    def _finite_losses(self) -> Tensor:
        """The `FIGURES` (n, 6) since the last report, on the host, the mean over all processes."""
        losses = torch.stack([*self._losses, torch.zeros(len(FIGURES), device=self.device)])
        losses = self.processes.mean(losses)[:-1].cpu()
        bad = (~losses.isfinite()).any(1).nonzero()
        if len(bad):
            iteration = self.iteration - len(losses) + int(bad[0])
            batch = "; ".join(self.sampler.data.names[n] for n in self.sampler.chosen(iteration))
            raise TrainingError(f"the loss is {losses[bad[0, 0], 0]:g} at iteration {iteration}, batch: {batch}. {self._advice()}")
        return losses

    def _out_of_memory(self) -> "TrainingError":
        recipe = self.recipe
        return TrainingError(
            f"not enough memory on {self.device} at iteration {self.iteration}, for batches of {recipe.batch_size} crops of {recipe.crop} "
            f"pixels with {recipe.annotations} annotations. {self._kept()}lower these in the recipe"
        )

    def _advice(self) -> str:
        return f"{self._kept()}lower the learning rate or turn bf16 off in the recipe"

    def _kept(self) -> str:
        """What is left of the run so far, if there is something."""
        return f"{self.out} keeps the last good checkpoint; " if is_file(self.out / STATE) else ""


def build_network(name: str) -> UNet | SSN:
    """Make the network called `name` with fresh weights.

    Raises:
        ModelError: no network has that name.
    """
    if name != "ssn":
        return build(name)
    network = SSN()
    initialise(network)
    return network
