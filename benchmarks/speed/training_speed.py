"""How fast the trainer is, and where its time goes.

    result = training_speed("ainet", load_recipe("interim-cpu"), samples, "cpu", steps=10)

Pictures do not change the speed, so synthetic ones serve as well as a data set.
"""

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ainet.arguments import check_choice
from ainet.benchmarks.speed.cases import COUNTS_SIZE, synthetic_picture
from ainet.benchmarks.speed.clock import Candidate, alternate
from ainet.models import Device
from ainet.training.datasets import Sample, bsds500
from ainet.training.networks import NETWORKS, UNet
from ainet.training.options import RunOptions
from ainet.training.recipe import Recipe
from ainet.training.step import TrainingStep
from ainet.training.trainer import Trainer

IMAGES = 40
WARM_UP = 4  # steps


def training_speed(network: str, recipe: Recipe, samples: Sequence[Sample], device: str, steps: int) -> dict[str, Any]:
    """Seconds of a step as `ainet train` runs it, of its parts, and hours of the whole recipe at this speed.

    Raises:
        UsageError: an unknown network, or SSN, whose step has other parts.
        AINetError: see `Trainer`.
    """
    check_choice("network", network, tuple(NETWORKS))
    on_gpu = Device.parse(device).gpu is not None
    with tempfile.TemporaryDirectory() as out:
        trainer = Trainer(network, recipe, samples, out, RunOptions(device=device, compiled=on_gpu))
        # The first steps compile, capture and allocate.
        step = alternate({"step": trainer.step}, steps, warm_up=WARM_UP, device=device)["step"]
        parts = alternate(parts_of_a_step(trainer), max(2, steps // 2), device=device)
    return {
        "settings": {"network": network, "device": device, "threads": torch.get_num_threads(), "steps": steps},
        "recipe": recipe.to_dict(),
        "seconds_per_step": step.median,
        "p95_seconds_per_step": step.p95,
        "iterations_per_second": 1 / step.median,
        "parts_seconds": {name: own.median for name, own in parts.items()},
        "hours_of_the_recipe": recipe.iterations * step.median / 3600,
    }


def parts_of_a_step(trainer: Trainer) -> dict[str, Candidate]:
    """Drawing a batch, the network, and the losses, each to be run alone; the last two with their backward passes."""
    batch, network = trainer.sampler.batch(0), trainer.network
    assert isinstance(network, UNet)
    step = TrainingStep(network, trainer.recipe, trainer.sampler.classes, trainer.bf16)

    def forward() -> tuple[Tensor, Tensor]:
        with torch.autocast(batch.image.device.type, torch.bfloat16, enabled=trainer.bf16):
            return network.features(batch.image)

    logits, embedding = (values.detach().float().requires_grad_() for values in forward())
    gradient = torch.randn_like(logits)
    corners = trainer.patches(batch)
    return {
        "data": lambda: trainer.sampler.batch(1),
        "network": lambda: forward()[0].float().backward(gradient),
        "loss": lambda: step.losses(batch, logits, embedding, corners)[0].backward(),
    }


class SyntheticSample:
    """A training image of noise, as large as BSDS500's, with squares as its segmentation; `number` makes it another one."""

    def __init__(self, number: int) -> None:
        self.image_id = f"synthetic {number}"
        self._number = number
        rows, columns = np.indices(COUNTS_SIZE) // (24 + number % 40)
        self._labels = (rows * (columns.max() + 1) + columns).astype(np.uint16)

    def image(self) -> NDArray[np.uint8]:
        return np.roll(_picture(), 11 * self._number, axis=1)

    def segmentations(self) -> list[NDArray[np.uint16]]:
        return [self._labels]


@cache
def _picture() -> NDArray[np.uint8]:
    return synthetic_picture(*COUNTS_SIZE)


def some_samples(bsds: Path | None) -> list[Sample]:
    """The first images of BSDS500 train, or synthetic ones; the speed does not depend on how many."""
    return [SyntheticSample(number) for number in range(IMAGES)] if bsds is None else list(bsds500(bsds, "train")[:IMAGES])
