"""The ablation of AINet (paper Fig. 6): what the association implantation (AI), the boundary-perceiving loss (BPL) and
patch jitter (PJ) add to SCN, alone and together, and the module's two variants.

    result = run_ablation(load_recipe("ablation-cpu"), "BSDS500/data", "runs/ablation")

Every variant trains on BSDS500 train by the same recipe, save for what it is named after, and is evaluated on val by the
public protocol of `run`.

**Folder of a run**: `ablation.json`, which reports are made from, with the variants so far; and for each variant a folder
with what the trainer and `run_accuracy` write. A run that was stopped goes on where it was; nothing is done twice.
"""

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ainet.benchmarks.accuracy.protocol import BSDS, Protocol
from ainet.benchmarks.accuracy.run import run_accuracy
from ainet.benchmarks.result import write_result
from ainet.errors import UsageError
from ainet.models import Device
from ainet.training.checkpoint import load_checkpoint
from ainet.training.datasets import bsds500
from ainet.training.options import RunOptions, TrainingProgress
from ainet.training.recipe import Recipe
from ainet.training.run_state import WEIGHTS
from ainet.training.state import locked
from ainet.training.train import choose_device
from ainet.training.trainer import Trainer

# Network, with BPL, with PJ. The baseline without the module is SCN.
VARIANTS = {
    "baseline": ("scn", False, False),
    "AI": ("ainet", False, False),
    "BPL": ("scn", True, False),
    "PJ": ("scn", False, True),
    "AI+BPL": ("ainet", True, False),
    "AI+PJ": ("ainet", False, True),
    "BPL+PJ": ("scn", True, True),
    "AI+BPL+PJ": ("ainet", True, True),
    "PNbor": ("ainet-pnbor", True, True),
    "CPix": ("ainet-cpix", True, True),
}
RESULT = "ablation.json"


class _BudgetSpentError(Exception):
    """Ends an evaluation between two images."""


def run_ablation(
    recipe: Recipe,
    bsds_root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    device: str = "auto",
    budget: float | None = None,
    jobs: int = 1,
    protocol: Protocol = BSDS,
    variants: Mapping[str, tuple[str, bool, bool]] = VARIANTS,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Train and evaluate every variant in turn.

    Args:
        recipe: the whole of it, with boundary loss and jitter on.
        bsds_root: folder with BSDS500's `images` and `groundTruth`.
        out: folder of the run.
        device: of torch, for training; accuracy is evaluated on the CPU.
        budget: seconds, after which the run stops with what it has.
        jobs: images evaluated at the same time.
        protocol: of the accuracy, on BSDS500.
        variants: by name, the network, whether with the boundary loss, and whether with jitter.
        report: called with a line on the progress.

    Returns:
        What stands in `ablation.json`, by name of the finished variants: `variants`, the scales of their accuracy; `figures`,
        those over a range of counts; `training`: network, boundary, jitter, iterations, seconds, checkpoint_sha256. And `complete`.

    Raises:
        UsageError: the recipe lacks the boundary loss or the jitter that is to be left out.
        AINetError: see `Trainer` and `run_accuracy`.
    """
    if "off" in (recipe.boundary, recipe.jitter):
        raise UsageError(f"recipe '{recipe.name}' has boundary or jitter 'off'; an ablation leaves them out itself, so turn both on")
    device = choose_device(device)
    samples = bsds500(bsds_root, "train")
    out = Path(out)
    end = time.monotonic() + (math.inf if budget is None else budget)
    result: dict[str, Any] = {"device": device, "recipe": recipe.to_dict(), "variants": {}, "figures": {}, "training": {}}
    for variant, (network, boundary, jitter) in variants.items():
        own = recipe
        if not boundary:
            own = replace(own, boundary="off")
        if not jitter:
            own = replace(own, jitter="off")

        def trained(progress: TrainingProgress, variant: str = variant) -> None:
            report(f"{variant}: {progress.iteration}/{progress.iterations}, loss {progress.figures['loss']:.3f}")

        def evaluated(method: str, done: int, total: int, variant: str = variant) -> None:
            report(f"{variant}: {done}/{total} images evaluated")
            if done < total and time.monotonic() >= end:
                raise _BudgetSpentError

        on_gpu = Device.parse(device).gpu is not None
        folder = out / variant
        with locked(folder):
            trainer = Trainer(network, own, samples, folder, RunOptions(device=device, compiled=on_gpu, report=trained))
            finished = trainer.run(end - time.monotonic())
        if not finished:
            break
        try:
            (path,) = run_accuracy(["checkpoint"], bsds_root, "val", folder, folder, jobs, progress=evaluated, protocol=protocol)
        except _BudgetSpentError:
            break
        accuracy = json.loads(path.read_text())
        result["training"][variant] = {
            "network": network,
            "boundary": own.boundary,
            "jitter": own.jitter,
            "iterations": own.iterations,
            "seconds": trainer.seconds,
            "checkpoint_sha256": load_checkpoint(folder / WEIGHTS).sha256,
        }
        result["variants"][variant], result["figures"][variant] = accuracy["scales"], accuracy["figures"]
        result |= {key: accuracy[key] for key in ("protocol", "data")}
        write_result(out / RESULT, "ablation", result)
    return {**result, "complete": len(result["variants"]) == len(variants)}
