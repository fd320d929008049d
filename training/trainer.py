"""The training loop.

    trainer = Trainer("ainet", load_recipe("full"), bsds500(root, "train"), out="runs/ainet")
    finished = trainer.run(budget=25 * 60)

The output folder holds `state.pt` (all that resuming needs), `weights.safetensors` (the EMA copy, ready for inference)
and TensorBoard logs. A trainer made on a folder with a state goes on from there, and ends with the same weights as a run
that was never stopped: batches follow from the iteration number, so the state is weights, optimizer and that number.

In processes started by torchrun, after `torch.distributed.init_process_group`, every process takes its part of a batch.
"""

import operator
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ainet.errors import AINetError, ModelError
from ainet.training.augment import CropSampler
from ainet.training.boundary import sample_patches
from ainet.training.checkpoint import Checkpoint, save_checkpoint
from ainet.training.datasets.resident import ResidentData
from ainet.training.datasets.sample import Sample
from ainet.training.logs import EventLog
from ainet.training.networks import UNet, build, initialise
from ainet.training.networks.ssn import SSN
from ainet.training.optimizers import check_finite, load_moments, make_optimizers
from ainet.training.processes import Processes
from ainet.training.recipe import Recipe
from ainet.training.ssn import SSNStep
from ainet.training.state import locked, read_state, whole_state, write_state
from ainet.training.step import FIGURES, TrainingStep, boundary_label, has_fast_bf16
from ainet.training.stop import StopSignals

WEIGHTS = "weights.safetensors"
LOGS = "logs"
STATE_FORMAT = 2
Validate = Callable[[UNet], Mapping[str, float]]


class TrainingError(AINetError):
    """The training has gone wrong; the last good checkpoint is kept."""


@dataclass(frozen=True)
class TrainingProgress:
    """Means over the iterations since the last report. figures: `step.FIGURES`, lr, seconds (per iteration)."""

    iteration: int
    iterations: int
    figures: Mapping[str, float]


@dataclass(frozen=True)
class RunOptions:
    """What decides where and how a run goes, and not what it computes.

    initial: a checkpoint whose weights the run starts from, instead of random ones.
    device: of torch.
    compiled: pass network and loss through torch.compile; on one GPU with CUDA graphs.
    validate: called with the EMA network, in eval mode on `device`; gives figures by name for the logs. Not for SSN, whose input is
        another.
    validate_every: seconds between two validations; there is always one at the end of the recipe.
    save_every: seconds between two checkpoints.
    log_every: iterations between two reports.
    report: called with the progress at every report.
    """

    initial: Checkpoint | None = None
    device: str = "cpu"
    compiled: bool = False
    validate: Validate | None = None
    validate_every: float = 1200
    save_every: float = 300
    log_every: int = 50
    report: Callable[[TrainingProgress], None] = lambda progress: None


class Trainer:
    """Trains a network by a recipe, in one or many pieces.

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
        UsageError: the data do not fit the recipe.
    """

    def __init__(
        self, network: str, recipe: Recipe, samples: Iterable[Sample], out: str | os.PathLike[str], options: RunOptions = RunOptions()
    ) -> None:
        self.name, self.recipe, self.out, self.options = network, recipe, Path(out), options
        self.device = torch.device(options.device)
        self.bf16 = recipe.bf16 and has_fast_bf16(self.device)
        self.processes = Processes(self.device)
        self.iteration, self.seconds = 0, 0.0  # so far; seconds with validation and saving
        self._statistics: list[Tensor] = []  # of BatchNorm, as they were before the step that is being done
        self._losses: list[Tensor] = []  # `FIGURES` of every iteration since the last report
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # crops all have one size

        data = ResidentData.load(samples, self.device)
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

    def run(self, budget: float | None = None) -> bool:
        """Train until the recipe ends, `budget` seconds have passed, or SIGINT or SIGTERM comes; always leaves a checkpoint.

        Returns whether the recipe is complete.

        Raises:
            TrainingError: the loss is not finite, and the last good checkpoint stays; or another process or host was lost, and every
                host that is left has a checkpoint.
            UsageError: another run is training in the output folder.
            OutputError: a checkpoint or the log cannot be written; the checkpoint before stays.
        """
        end = time.monotonic() + (float("inf") if budget is None else budget)
        with (
            locked(self.out) if self.processes.first else nullcontext(),
            StopSignals() as signals,
            EventLog(self.out / LOGS, self.iteration + 1) if self.processes.first else nullcontext() as logs,
        ):
            try:
                self._iterate(end, signals, logs)
                self.save()
            except RuntimeError as error:
                if not self.processes.lost(error):
                    raise
                raise self._left_alone() from error
        return self.iteration >= self.recipe.iterations

    def _iterate(self, end: float, signals: StopSignals, logs: EventLog | None) -> None:
        """Train until the recipe ends, or a process has a reason to stop."""
        saved = validated = reported = last = time.monotonic()
        while self.iteration < self.recipe.iterations:
            self._losses.append(self.step())
            finished = self.iteration == self.recipe.iterations
            if finished or self.iteration % self.options.log_every == 0:
                now = time.monotonic()
                self._report(logs, (now - reported) / len(self._losses))
                reported = now
            now = time.monotonic()
            self.seconds += now - last
            last = now
            stop, save, validate = self._any_process(
                signals.received or now >= end,
                now - saved >= self.options.save_every,
                finished or now - validated >= self.options.validate_every,
            )
            if validate and self.options.validate is not None:
                self.save()  # before the validation, which may fail on its own data; this also checks the losses
                self._validate(logs)
                saved = validated = time.monotonic()
            elif save:
                self.save()
                saved = time.monotonic()
            if stop:
                break

    def step(self) -> Tensor:
        """One iteration; gives its `FIGURES` (6,). Does not wait for the device."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.recipe.lr_at(self.iteration)
        batch = self.sampler.batch(self.iteration)
        corners = None
        if self.recipe.boundary != "off" and self.iteration >= self.recipe.boundary_start:
            corners = sample_patches(boundary_label(batch, self.recipe), self.sampler.generator(self.iteration))
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
        self._statistics.clear()
        return figures

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
            "weights": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        write_state(self.out, self._made_with() | state)
        config = {"network": self.name, "recipe": self.recipe.to_dict(), "iteration": self.iteration, "weights": "EMA"}
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
            if not (0 <= self.iteration <= self.recipe.iterations and 0 <= self.seconds < float("inf")):
                raise ValueError(f"iteration {self.iteration} after {self.seconds} seconds")

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

    def _validate(self, logs: EventLog | None) -> None:
        if logs is not None and self.options.validate is not None and isinstance(self.ema.module, UNet):
            logs.add("val", self.options.validate(self.ema.module), self.iteration)

    def _any_process(self, *wishes: bool) -> list[bool]:
        """Which wishes any process has. GPUs meet only every `log_every` iterations, so as not to wait at each short step."""
        meet = self.iteration % self.options.log_every == 0 or self.iteration == self.recipe.iterations
        if self.processes.count > 1 and self.device.type == "cuda" and not meet:
            return [False] * len(wishes)
        return self.processes.any(*wishes)

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

    def _advice(self) -> str:
        return f"{self.out} keeps the last good checkpoint; lower the learning rate or turn bf16 off in the recipe"

    def _report(self, logs: EventLog | None, seconds: float) -> None:
        figures = dict(zip(FIGURES, self._finite_losses().mean(0).tolist(), strict=True))
        figures |= {"lr": self.recipe.lr_at(self.iteration - 1), "seconds": seconds}
        self._losses.clear()
        if logs is not None:
            logs.add("train", figures, self.iteration)
            self.options.report(TrainingProgress(self.iteration, self.recipe.iterations, figures))


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
