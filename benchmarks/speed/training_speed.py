"""How fast the trainer is, where its time goes, and how it compares with the literal loop in the same run.

    python -m ainet.benchmarks.speed.training_speed --bsds BSDS500/data --recipe interim-cpu --json speed.json

The literal loop is what a plain reading of the paper gives: a DataLoader of crops, float32, one-hot maps of all classes
at full resolution, Adam. Both loops take turns, step by step.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from support.literal_loss import literal_loss
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ainet.benchmarks.speed.machine import machine, versions
from ainet.files import write_json
from ainet.spec import MEAN
from ainet.training.capture import WARM_UP
from ainet.training.datasets import BSDS500, Sample
from ainet.training.losses import association_loss
from ainet.training.networks import build
from ainet.training.recipe import Recipe, load_recipe
from ainet.training.trainer import Trainer, make_optimizer

CLASSES = 50  # of the public code's one-hot maps


class Crops(Dataset[tuple[Tensor, Tensor]]):
    """Random crops with flips, one annotation at a time, as a DataLoader wants them: (3, S, S) float32 and (S, S) int64."""

    def __init__(self, samples: Sequence[Sample], crop: int) -> None:
        self.crop, self.rng = crop, np.random.default_rng(0)
        self.pairs = [(sample.image(), labels) for sample in samples for labels in sample.segmentations()]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, labels = self.pairs[index]
        top, left = (int(self.rng.integers(size - self.crop, endpoint=True)) for size in labels.shape)
        window = np.s_[top : top + self.crop, left : left + self.crop]
        pixels: NDArray[Any] = image[window].astype(np.float32) / 255 - np.array(MEAN, np.float32)
        turns = np.s_[:: self.rng.choice((-1, 1)), :: self.rng.choice((-1, 1))]
        own = np.minimum(labels[window][turns].astype(np.int64), CLASSES - 1)
        return torch.from_numpy(pixels[turns].transpose(2, 0, 1).copy()), torch.from_numpy(own.copy())


def literal_loop(network: str, recipe: Recipe, samples: Sequence[Sample], device: str) -> Iterator[None]:
    """Trains as the module's docstring says, a step at each `next`."""
    torch.manual_seed(recipe.seed)
    model = build(network).to(device).train()
    optimizer = make_optimizer(model, recipe)
    loader = DataLoader(Crops(samples, recipe.crop), recipe.batch_size, shuffle=True, drop_last=True)
    while True:
        for image, label in loader:
            prob = model(image.to(device)).softmax(1)
            loss = sum(literal_loss(prob, label.to(device), CLASSES), torch.zeros((), device=device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield


def shares(trainer: Trainer, seconds: Callable[[Callable[[], object]], float]) -> dict[str, float]:
    """Seconds of a step's parts, each run alone: drawing the batch, network, loss; the last two with their backward passes."""
    recipe, batch = trainer.recipe, trainer.sampler.batch(0)

    def forward() -> Tensor:
        with torch.autocast(batch.image.device.type, torch.bfloat16, enabled=recipe.bf16):
            logits: Tensor = trainer.network(batch.image)
        return logits

    gradient = torch.randn_like(forward())
    leaf = forward().detach().float().requires_grad_()

    def loss() -> None:
        association_loss(leaf.softmax(1), batch.label, trainer.sampler.classes).total.backward()

    return {
        "data": seconds(lambda: trainer.sampler.batch(1)),
        "network": seconds(lambda: forward().backward(gradient)),
        "loss": seconds(loss),
    }


def measure(network: str, recipe: Recipe, samples: Sequence[Sample], device: str, steps: int) -> dict[str, Any]:
    """Median seconds per step of both loops, of the parts of ours, and the ratio of neighbouring steps."""

    def seconds(action: Callable[[], object]) -> float:
        start = time.perf_counter()
        action()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter() - start

    on_gpu = device.startswith("cuda")
    with tempfile.TemporaryDirectory() as out:
        trainer = Trainer(network, recipe, samples, out, device=device, compiled=on_gpu, captured=on_gpu)
        literal = literal_loop(network, recipe, samples, device)
        for _ in range(WARM_UP + 1):  # compiles, captures, allocates
            trainer.step()
        for _ in range(2):
            next(literal)
        times = np.array([[seconds(trainer.step), seconds(lambda: next(literal))] for _ in range(steps)])
        parts = [shares(trainer, seconds) for _ in range(max(2, steps // 2))]
    own, plain = np.median(times, 0)
    return {
        "seconds_per_step": float(own),
        "iterations_per_second": float(1 / own),
        "literal_seconds_per_step": float(plain),
        "speedup": float(np.median(times[:, 1] / times[:, 0])),
        "parts_seconds": {key: float(np.median([part[key] for part in parts])) for key in parts[0]},
    }


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    parser = argparse.ArgumentParser(description="Speed of the trainer, as a ratio to the literal loop.")
    parser.add_argument("--bsds", type=Path, required=True)
    parser.add_argument("--recipe", default="interim-cpu")
    parser.add_argument("--network", default="ainet")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--images", type=int, default=40, help="of BSDS500 train; speed does not depend on how many")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--json", type=Path, help="also write the figures and the machine to this file")
    arguments = parser.parse_args()
    recipe = load_recipe(arguments.recipe)
    samples = list(BSDS500(arguments.bsds, "train"))[: arguments.images]
    result = measure(arguments.network, recipe, samples, arguments.device, arguments.steps)
    result["hours_of_the_recipe"] = recipe.iterations * result["seconds_per_step"] / 3600
    table = Table("figure", "value", title=f"{arguments.network}, {recipe.name}, batch {recipe.batch_size}, {arguments.device}")
    for key, value in {**result, **result["parts_seconds"]}.items():
        if isinstance(value, float):
            table.add_row(key, f"{value:.4g}")
    Console().print(table)
    if arguments.json:
        settings = {"network": arguments.network, "device": arguments.device, "threads": torch.get_num_threads()}
        about = {"settings": settings, "recipe": recipe.to_dict()}
        write_json(arguments.json, {**about, **result, "versions": versions(), "machine": machine()})


if __name__ == "__main__":
    main()
