"""The ablation of AINet (paper Fig. 6): what the association implantation (AI), the boundary-perceiving loss (BPL) and
patch jitter (PJ) add to SCN, alone and together, and the module's two variants.

    rows = run_ablation(load_recipe("ablation-cpu"), BSDS500(root, "train"), validator(BSDS500(root, "val")), "runs/ablation")

Every variant trains by the same recipe, save for what it is named after, in a folder of its own; a run that was stopped
goes on where it was.
"""

import math
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ainet.errors import UsageError
from ainet.files import write_json
from ainet.training.checkpoint import load_checkpoint
from ainet.training.datasets import Sample
from ainet.training.recipe import Recipe
from ainet.training.train import choose_device
from ainet.training.trainer import WEIGHTS, Trainer, Validate

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


def run_ablation(
    recipe: Recipe,
    samples: Iterable[Sample],
    validate: Validate,
    out: str | os.PathLike[str],
    *,
    device: str = "auto",
    budget: float | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> list[dict[str, Any]]:
    """Train and measure every variant, in the order of `VARIANTS`.

    Args:
        recipe: the whole of it, with boundary loss and jitter on.
        samples: the training images.
        validate: figures of a finished network, see `ainet.benchmarks.validator`.
        out: a folder per variant, and `ablation.json` with the recipe and the rows so far.
        device: of torch.
        budget: seconds of training, after which the run stops with a checkpoint.
        report: called with a line on the progress.

    Returns:
        A row per finished variant: variant, network, boundary, jitter, iterations, and the figures of `validate`.

    Raises:
        UsageError: the recipe lacks the boundary loss or the jitter that is to be left out.
        AINetError: see `Trainer`.
    """
    if "off" in (recipe.boundary, recipe.jitter):
        raise UsageError(f"recipe '{recipe.name}' has boundary or jitter 'off'; an ablation leaves them out itself, so turn both on")
    device, samples, rows = choose_device(device), list(samples), []
    end = time.monotonic() + (math.inf if budget is None else budget)
    for variant, (network, boundary, jitter) in VARIANTS.items():
        own = replace(recipe, boundary=recipe.boundary if boundary else "off", jitter=recipe.jitter if jitter else "off")
        folder = Path(out) / variant
        trainer = Trainer(
            network,
            own,
            samples,
            folder,
            device=device,
            compiled=device.startswith("cuda"),
            report=lambda progress, variant=variant: report(  # type: ignore[misc]
                f"{variant}: {progress.iteration}/{progress.iterations}, loss {progress.figures['loss']:.3f}"
            ),
        )
        if not trainer.run(end - time.monotonic()):
            break
        figures = validate(load_checkpoint(folder / WEIGHTS).network.to(device))
        rows.append({"variant": variant, "network": network, "boundary": own.boundary, "jitter": own.jitter, **figures})
        write_json(Path(out) / RESULT, {"split": "val", "n_segments": 600, "recipe": recipe.to_dict(), "rows": rows})
    return rows
