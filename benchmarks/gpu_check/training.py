"""Speed of the trainer with the recipe `full`: iterations per second, its parts, and the time of the whole recipe, extrapolated."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ainet.benchmarks.gpu_check.section import Context, Result
from ainet.benchmarks.speed.cases import synthetic_picture
from ainet.benchmarks.speed.training_speed import shares
from ainet.training.datasets import BSDS500, Sample
from ainet.training.recipe import Recipe, load_recipe
from ainet.training.trainer import Trainer

NETWORK, RECIPE = "ainet", "full"
IMAGES = 40  # the speed does not depend on how many
MODES = {"eager": (False, False), "graph": (False, True), "graph, torch.compile": (True, True)}  # compiled, captured; the last trains
WARM_UPS, BLOCK, BLOCKS = 5, 10, 8  # steps, steps that are timed together, such blocks


class Synthetic:
    """An image of noise with squares of random size as its segmentation, as large as BSDS500's."""

    def __init__(self, number: int) -> None:
        self.image_id = f"synthetic {number}"
        self._picture = np.roll(synthetic_picture(321, 481), 11 * number, axis=1)
        rows, columns = np.indices((321, 481)) // (24 + number % 40)
        self._labels = (rows * (columns.max() + 1) + columns).astype(np.uint16)

    def image(self) -> NDArray[np.uint8]:
        return self._picture

    def segmentations(self) -> list[NDArray[np.uint16]]:
        return [self._labels]


def run(context: Context) -> Iterator[Result]:
    recipe = load_recipe(RECIPE)
    real = context.bsds is not None and (context.bsds / "images" / "train").is_dir()
    samples: Sequence[Sample] = BSDS500(context.bsds, "train")[:IMAGES] if context.bsds and real else [Synthetic(i) for i in range(IMAGES)]
    result: Result = {
        "network": NETWORK,
        "recipe": recipe.to_dict(),
        "data": "BSDS500 train" if real else "synthetic",
        "method": {"warm_up_steps": WARM_UPS, "steps_in_a_block": BLOCK, "blocks": BLOCKS},
        "runs": [],
    }
    for mode, (compiled, captured) in MODES.items():
        context.check_time()
        row = measure(recipe, samples, context.work / f"training, {mode}", compiled, captured, "cuda")
        result["runs"].append({"mode": mode, **row})
        yield result


def measure(
    recipe: Recipe,
    samples: Sequence[Sample],
    out: Path,
    compiled: bool,
    captured: bool,
    device: str,
    block: int = BLOCK,
    blocks: int = BLOCKS,
) -> Result:
    """Seconds of a step before and after the boundary loss sets in, of the parts of a step, and of the whole recipe by these."""
    phases = {"without boundary loss": dataclasses.replace(recipe, boundary="off")}
    if recipe.boundary != "off":
        phases["with boundary loss"] = dataclasses.replace(recipe, boundary_start=0)
    seconds: dict[str, float] = {}
    parts: list[dict[str, float]] = []
    for name, phase in phases.items():
        trainer = Trainer(NETWORK, phase, samples, out / name, device=device, compiled=compiled, captured=captured)
        _repeat(trainer.step, WARM_UPS, device)
        seconds[name] = float(np.median([_repeat(trainer.step, block, device) for _ in range(blocks)]))
        if not parts:
            parts = [shares(trainer, lambda action: _repeat(action, 1, device)) for _ in range(blocks)][1:]
    medians = {name: float(np.median([part[name] for part in parts])) for name in parts[0]}
    first, *rest = seconds.values()
    late = recipe.iterations - recipe.boundary_start if rest else 0
    total = (recipe.iterations - late) * first + late * sum(rest)
    return {
        "compiled": compiled,
        "captured": captured,
        "seconds_per_step": seconds,
        "iterations_per_second": {name: 1 / value for name, value in seconds.items()},
        "parts_seconds": medians,
        "parts_share": {name: value / sum(medians.values()) for name, value in medians.items()},
        "extrapolated_hours_of_the_recipe": total / 3600,
    }


def _repeat(action: Callable[[], object], times: int, device: str) -> float:
    """Mean seconds of a call; the device is waited for at the end alone, as in a training run."""
    start = time.perf_counter()
    for _ in range(times):
        action()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / times
