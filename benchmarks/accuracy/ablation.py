"""The ablation of AINet (paper Fig. 6): what the association implantation (AI), the boundary-perceiving loss (BPL) and
patch jitter (PJ) add to SCN, alone and together, and the module's two variants.

    result = run_ablation(load_recipe("ablation-cpu"), "BSDS500/data", "runs/ablation")

Every variant trains on BSDS500 train by the same recipe, save for what it is named after, and is measured on val by the
public protocol of `accuracy`.

**Folder of a run**: `ablation.json`, which reports are made from, with the variants so far; and for each variant a folder
with what the trainer and `accuracy` write. A run that was stopped goes on where it was; nothing is done twice.
"""

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ainet.benchmarks.accuracy.protocol import BSDS, Protocol
from ainet.benchmarks.accuracy.run import run_accuracy
from ainet.errors import UsageError
from ainet.files import write_json
from ainet.training.checkpoint import load_checkpoint
from ainet.training.datasets import BSDS500
from ainet.training.recipe import Recipe
from ainet.training.train import choose_device
from ainet.training.trainer import WEIGHTS, Progress, Trainer

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
    """Ends a measurement between two images."""


def run_ablation(
    recipe: Recipe,
    bsds_root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    device: str = "auto",
    budget: float | None = None,
    jobs: int = 1,
    protocol: Protocol = BSDS,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Train and measure every variant, in the order of `VARIANTS`.

    Args:
        recipe: the whole of it, with boundary loss and jitter on.
        bsds_root: folder with BSDS500's `images` and `groundTruth`.
        out: folder of the run.
        device: of torch, for training; accuracy is measured on the CPU.
        budget: seconds, after which the run stops with what it has.
        jobs: images measured at the same time.
        protocol: of the accuracy, on BSDS500.
        report: called with a line on the progress.

    Returns:
        What stands in `ablation.json`, by name of the finished variants: `variants`, the scales of their accuracy; `figures`,
        those over a range of counts; `training`: network, boundary, jitter, iterations, seconds, checkpoint_sha256.

    Raises:
        UsageError: the recipe lacks the boundary loss or the jitter that is to be left out.
        AINetError: see `Trainer` and `run_accuracy`.
    """
    if "off" in (recipe.boundary, recipe.jitter):
        raise UsageError(f"recipe '{recipe.name}' has boundary or jitter 'off'; an ablation leaves them out itself, so turn both on")
    device, samples, out = choose_device(device), list(BSDS500(bsds_root, "train")), Path(out)
    end = time.monotonic() + (math.inf if budget is None else budget)
    result: dict[str, Any] = {"benchmark": "ablation", "variants": {}, "training": {}, "figures": {}, "recipe": recipe.to_dict()}
    result["device"] = device
    for variant, (network, boundary, jitter) in VARIANTS.items():
        own = replace(recipe, boundary=recipe.boundary if boundary else "off", jitter=recipe.jitter if jitter else "off")

        def trained(progress: Progress, variant: str = variant) -> None:
            report(f"{variant}: {progress.iteration}/{progress.iterations}, loss {progress.figures['loss']:.3f}")

        def measured(method: str, done: int, total: int, variant: str = variant) -> None:
            report(f"{variant}: {done}/{total} images measured")
            if done < total and time.monotonic() >= end:
                raise _BudgetSpentError

        on_gpu = device.startswith("cuda")
        trainer = Trainer(network, own, samples, out / variant, device=device, compiled=on_gpu, captured=on_gpu, report=trained)
        if not trainer.run(end - time.monotonic()):
            break
        try:
            (path,) = run_accuracy(
                ["checkpoint"], bsds_root, "val", out / variant, out / variant, jobs, progress=measured, protocol=protocol
            )
        except _BudgetSpentError:
            break
        accuracy, checkpoint = json.loads(path.read_text()), load_checkpoint(out / variant / WEIGHTS)
        about = {"network": network, "boundary": own.boundary, "jitter": own.jitter, "iterations": own.iterations}
        about |= {"seconds": trainer.seconds, "checkpoint_sha256": checkpoint.sha256}
        result["training"][variant] = about
        result["variants"][variant], result["figures"][variant] = accuracy["scales"], accuracy["figures"]
        result |= {key: accuracy[key] for key in ("protocol", "data", "versions", "machine")}
        write_json(out / RESULT, result)
    return result
