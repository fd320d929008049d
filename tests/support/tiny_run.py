"""Training on coloured squares, a matter of seconds; and whether two runs are in the same state."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ainet.training.recipe import Recipe
from ainet.training.trainer import Trainer

RECIPE = Recipe(
    "tiny",
    iterations=6,
    batch_size=2,
    lr=1e-3,
    crop=32,
    annotations=2,
    boundary="paper",
    boundary_start=3,
    jitter="paper",
    schedule="cosine",
    warmup=1,
)


@dataclass
class Squares:
    """Coloured squares on a ground, and the map of them."""

    number: int

    @property
    def image_id(self) -> str:
        return f"squares{self.number}"

    def segmentations(self) -> list[NDArray[np.uint16]]:
        rng = np.random.default_rng(self.number)
        labels = np.zeros((40, 56), np.uint16)
        for label in range(1, 5):
            y, x = rng.integers(0, (24, 40))
            labels[y : y + 16, x : x + 16] = label
        return [labels, labels.clip(max=2)]

    def image(self) -> NDArray[np.uint8]:
        rng = np.random.default_rng(100 + self.number)
        return rng.integers(0, 256, (5, 3))[self.segmentations()[0]].astype(np.uint8)


SAMPLES = [Squares(number) for number in range(3)]


def state_of(trainer: Trainer) -> dict[str, Tensor]:
    tensors = {f"live {key}": value for key, value in trainer.network.state_dict().items()}
    tensors |= {f"ema {key}": value for key, value in trainer.ema.state_dict().items()}
    for optimizer in trainer.optimizers:
        for number, values in optimizer.state_dict()["state"].items():
            tensors |= {f"{type(optimizer).__name__} {number} {key}": value for key, value in values.items()}
    return tensors


def assert_same(own: Trainer, other: Trainer) -> None:
    first, second = state_of(own), state_of(other)
    assert own.iteration == other.iteration and first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []
