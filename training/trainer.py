"""The training loop.

    trainer = Trainer("ainet", load_recipe("full"), BSDS500(root, "train"), out="runs/ainet")
    finished = trainer.run(budget=25 * 60)

The output folder holds `state.pt` (all that resuming needs), `weights.safetensors` (the EMA copy, ready for inference)
and TensorBoard logs. A trainer made on a folder with a state goes on from there, and ends with the same weights as a run
that was never stopped: batches follow from the iteration number, so the state is weights, optimizer and that number.

In processes started by torchrun, after `torch.distributed.init_process_group`, every process takes its share of a batch.
"""

import io
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ainet.errors import AINetError, ModelError
from ainet.files import atomic_path
from ainet.training.augment import Batch, CropSampler
from ainet.training.boundary import sample_patches
from ainet.training.capture import CapturedUpdate, CaptureError, Update
from ainet.training.checkpoint import Checkpoint, save_checkpoint
from ainet.training.datasets.resident import ResidentData
from ainet.training.datasets.sample import Sample
from ainet.training.ema import EMA
from ainet.training.logs import EventLog
from ainet.training.networks import UNet, build, initialise
from ainet.training.networks.ssn import SSN
from ainet.training.recipe import Recipe, recipe_from_dict
from ainet.training.ssn import SSNStep
from ainet.training.step import FIGURES, TrainingStep
from ainet.training.stop import StopSignals

STATE = "state.pt"
WEIGHTS = "weights.safetensors"
LOGS = "logs"
Validate = Callable[[UNet], Mapping[str, float]]


class TrainingError(AINetError):
    """The training has gone wrong; the last good checkpoint is kept."""


@dataclass(frozen=True)
class Progress:
    """Means over the iterations since the last report. figures: `step.FIGURES`, lr, seconds (per iteration)."""

    iteration: int
    iterations: int
    figures: Mapping[str, float]


class Trainer:
    """Trains a network by a recipe, in one or many pieces.

    Args:
        network: a name of `ainet.training.networks`, or "ssn".
        recipe: what to compute.
        samples: the training images.
        out: output folder; training goes on from the state found there.
        initial: a checkpoint whose weights the run starts from, instead of random ones.
        device: a torch device.
        compiled: pass network and loss through torch.compile.
        captured: on a GPU, replay the updates as a CUDA graph. In one process, and not for SSN, whose step waits for the device;
            nor if that has failed before, which the state tells.
        validate: called with the EMA network, in eval mode on `device`; gives figures by name for the logs. It runs every
            `validate_every` iterations and at the end; by default five times in a run, and at least every 5,000 iterations. Not for SSN,
            whose input is another.
        save_every: seconds between two checkpoints.
        log_every: iterations between two reports.
        report: called with the progress at every report.

    Raises:
        ModelError: the state in `out` is damaged, or belongs to another recipe, network, start, data set or number of processes;
            `initial` is of another network.
        ImageError: a training image or label cannot be read.
        UsageError: the data do not fit the recipe.
    """

    def __init__(
        self,
        network: str,
        recipe: Recipe,
        samples: Iterable[Sample],
        out: str | os.PathLike[str],
        *,
        initial: Checkpoint | None = None,
        device: torch.device | str = "cpu",
        compiled: bool = False,
        captured: bool = False,
        validate: Validate | None = None,
        validate_every: int | None = None,
        save_every: float = 300,
        log_every: int = 50,
        report: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self.name, self.recipe, self.out, self.device = network, recipe, Path(out), torch.device(device)
        self.validate, self.validate_every = validate, validate_every or min(5000, -(-recipe.iterations // 5))
        self.save_every, self.log_every, self.report = save_every, log_every, report
        self.rank, self.ranks = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        self.iteration, self.seconds = 0, 0.0  # so far; seconds with validation and saving
        self.initial = None if initial is None else initial.sha256
        self._capturable = True  # as far as is known
        self._losses: list[Tensor] = []  # `FIGURES` of every iteration since the last report

        data = ResidentData.load(samples, self.device)
        self.sampler = CropSampler(data, recipe.crop, recipe.batch_size, recipe.seed, recipe.jitter, self.rank, self.ranks)

        torch.manual_seed(recipe.seed)
        untrained = build_network(network)
        if initial is not None:
            if initial.name != network:
                raise ModelError(f"the weights to start from are of the network '{initial.name}', not of '{network}'; name others")
            untrained.load_state_dict(initial.network.state_dict())
        self.network = untrained.to(self.device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.ema = EMA(self.network, recipe.ema_decay)
        self.optimizer = make_optimizer(self.network, recipe, fused=self.device.type == "cuda")
        self._resume()
        step: nn.Module
        if isinstance(self.network, SSN):
            step = SSNStep(self.network, recipe, self.sampler.classes)
        else:
            step = TrainingStep(self.network, recipe, self.sampler.classes)
        if self.ranks > 1:
            if self.device.type == "cuda":
                step = nn.SyncBatchNorm.convert_sync_batchnorm(step)
            step = DistributedDataParallel(step)
        self._forward = torch.compile(step) if compiled else step
        self._update: Update = self._eager_update
        self._lr: Tensor | None = None  # read by the graph
        if captured and self._capturable and self.device.type == "cuda" and self.ranks == 1 and isinstance(self.network, UNet):
            self._update = CapturedUpdate(self._eager_update, self.optimizer)
            self._lr = torch.zeros((), device=self.device)

    def run(self, budget: float | None = None) -> bool:
        """Train until the recipe ends, `budget` seconds have passed, or SIGINT or SIGTERM comes; always leaves a checkpoint.

        Returns whether the recipe is complete.

        Raises:
            TrainingError: the loss is not finite; the last good checkpoint stays. Or the updates cannot be captured; they go on without
                that in another process.
            OutputError: a checkpoint or the log cannot be written; the checkpoint before stays.
        """
        end = time.monotonic() + (float("inf") if budget is None else budget)
        saved = reported = last = time.monotonic()
        log = EventLog(self.out / LOGS, self.iteration + 1) if self.rank == 0 else nullcontext()
        with StopSignals() as signals, log as logs:
            while self.iteration < self.recipe.iterations:
                try:
                    self._losses.append(self.step())
                except CaptureError as error:
                    self._capturable = False
                    self.save()
                    raise TrainingError(
                        f"{error}; run the same again: it goes on from iteration {self.iteration} without one, more slowly"
                    ) from error
                if self.iteration % self.log_every == 0 or self.iteration == self.recipe.iterations:
                    now = time.monotonic()
                    self._report(logs, (now - reported) / len(self._losses))
                    reported = now
                if self.validate is not None and (self.iteration % self.validate_every == 0 or self.iteration == self.recipe.iterations):
                    self.save()  # before the validation, which may fail on its own data; this also checks the losses
                    saved = time.monotonic()
                    if logs is not None and isinstance(self.ema.module, UNet):
                        logs.add("val", self.validate(self.ema.module), self.iteration)
                now = time.monotonic()
                self.seconds += now - last
                last = now
                stop, save = self._any_rank(signals.received or now >= end, now - saved >= self.save_every)
                if stop:
                    break
                if save:
                    self.save()
                    saved = time.monotonic()
            self.save()
        return self.iteration >= self.recipe.iterations

    def step(self) -> Tensor:
        """One iteration; gives its `FIGURES` (5,). Does not wait for the device."""
        lr = self.recipe.lr_at(self.iteration)
        for group in self.optimizer.param_groups:
            group["lr"] = lr if self._lr is None else self._lr.fill_(lr)
        batch = self.sampler.batch(self.iteration)
        corners = None
        if self.recipe.boundary != "off" and self.iteration >= self.recipe.boundary_start:
            label = batch.plain_label if self.recipe.boundary == "public" else batch.label
            corners = sample_patches(label, self.sampler.generator(self.iteration))
        figures = self._update(batch, corners)
        self.ema.update(self.iteration)
        self.iteration += 1
        return figures

    def _eager_update(self, batch: Batch, corners: Tensor | None) -> Tensor:
        loss, figures = self._forward(batch, corners)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return figures

    def save(self) -> None:
        """Write the state and the EMA weights, each whole or not at all. Every rank calls it, the first one writes.

        Raises:
            TrainingError: a loss since the last report or a weight is not finite; nothing is written.
            OutputError: a file cannot be written; the one before stays.
        """
        self._finite_losses()
        values = (*self.network.state_dict().values(), *self.ema.module.state_dict().values())
        if not all(value.isfinite().all() for value in values):
            raise TrainingError(f"the weights are not finite after iteration {self.iteration - 1}. {self._advice()}")
        if self.rank > 0:
            return
        buffer = io.BytesIO()  # torch reports a full disk as a RuntimeError of its own; writing bytes gives the OSError
        torch.save(
            {
                "network": self.name,
                "recipe": self.recipe.to_dict(),
                "initial": self.initial,
                "data": self.sampler.data.summary,
                "processes": self.ranks,
                "iteration": self.iteration,
                "seconds": self.seconds,
                "capturable": self._capturable,
                "weights": self.network.state_dict(),
                "ema": self.ema.module.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            },
            buffer,
        )
        with atomic_path(self.out / STATE) as temporary:
            temporary.write_bytes(buffer.getbuffer())
            with temporary.open() as file:
                os.fsync(file.fileno())  # else a power cut may leave the new name without the content
        config = {"network": self.name, "recipe": self.recipe.to_dict(), "iteration": self.iteration, "weights": "EMA"}
        if self.initial is not None:
            config["initial"] = self.initial
        save_checkpoint(self.out / WEIGHTS, self.ema.module, config)

    def _resume(self) -> None:
        path = self.out / STATE
        if not path.is_file():
            return
        try:
            state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
            found = {key: state[key] for key in ("network", "initial", "data", "processes")} | recipe_from_dict(state["recipe"]).to_dict()
        except Exception as error:  # torch.load raises whatever its zip and pickle readers meet in a damaged file
            raise ModelError(
                f"cannot resume from {path}: it is damaged, of another version or no training state ({type(error).__name__}); "
                "move it away to start afresh"
            ) from error
        wanted = {"network": self.name, "initial": self.initial, "data": self.sampler.data.summary, "processes": self.ranks}
        wanted |= self.recipe.to_dict()
        if different := [key for key in wanted if found[key] != wanted[key]]:
            shown = ", ".join(f"{key} is {found[key]!r} there and {wanted[key]!r} here" for key in different)
            raise ModelError(f"{path} was made otherwise: {shown}; go on as it was made, or use another output folder")
        self.network.load_state_dict(state["weights"])
        self.ema.module.load_state_dict(state["ema"])
        for group in state["optimizer"]["param_groups"]:  # the state may be from another device
            group["fused"] = self.optimizer.defaults["fused"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.iteration = state["iteration"]
        self.seconds, self._capturable = state["seconds"], state["capturable"]

    def _any_rank(self, *wishes: bool) -> list[bool]:
        """Which wishes any process has. On GPUs they meet only every `log_every` iterations, so as not to wait at each short step."""
        if self.ranks == 1:
            return list(wishes)
        if self.iteration % self.log_every and self.device.type == "cuda":
            return [False] * len(wishes)
        votes = torch.tensor(wishes, dtype=torch.int32, device=self.device)
        dist.all_reduce(votes, dist.ReduceOp.MAX)
        return [bool(vote) for vote in votes]

    def _finite_losses(self) -> Tensor:
        """The `FIGURES` (n, 5) since the last report, on the host, the mean over all ranks."""
        losses = torch.stack([*self._losses, torch.zeros(len(FIGURES), device=self.device)])
        if self.ranks > 1:
            dist.all_reduce(losses)
            losses /= self.ranks
        losses = losses[:-1].cpu()
        if (bad := (~losses.isfinite()).any(1).nonzero()).numel():
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
            self.report(Progress(self.iteration, self.recipe.iterations, figures))


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


def make_optimizer(network: nn.Module, recipe: Recipe, fused: bool = False) -> torch.optim.Adam:
    """Adam with weight decay as an L2 term in the gradient, on weights (BatchNorm's too) and not on biases, as the public code."""
    groups = [
        {"params": [p for name, p in network.named_parameters() if name.endswith("weight")], "weight_decay": recipe.weight_decay},
        {"params": [p for name, p in network.named_parameters() if name.endswith("bias")], "weight_decay": 0.0},
    ]
    return torch.optim.Adam(groups, lr=recipe.lr, betas=(0.9, 0.999), fused=fused)
