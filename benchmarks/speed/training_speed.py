"""How fast the trainer is, and where its time goes.

python -m ainet.benchmarks.speed.training_speed --bsds BSDS500/data --recipe interim-cpu --json speed.json
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ainet.benchmarks.speed.machine import machine, versions
from ainet.files import write_json
from ainet.training.capture import WARM_UP
from ainet.training.datasets import BSDS500, Sample
from ainet.training.losses import association_loss
from ainet.training.recipe import Recipe, load_recipe
from ainet.training.trainer import Trainer


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
    """Median seconds per step, and of its parts."""

    def seconds(action: Callable[[], object]) -> float:
        start = time.perf_counter()
        action()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter() - start

    on_gpu = device.startswith("cuda")
    with tempfile.TemporaryDirectory() as out:
        trainer = Trainer(network, recipe, samples, out, device=device, compiled=on_gpu, captured=on_gpu)
        for _ in range(WARM_UP + 1):  # compiles, captures, allocates
            trainer.step()
        own = float(np.median([seconds(trainer.step) for _ in range(steps)]))
        parts = [shares(trainer, seconds) for _ in range(max(2, steps // 2))]
    return {
        "seconds_per_step": own,
        "iterations_per_second": 1 / own,
        "parts_seconds": {key: float(np.median([part[key] for part in parts])) for key in parts[0]},
    }


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    parser = argparse.ArgumentParser(description="Speed of the trainer.")
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
