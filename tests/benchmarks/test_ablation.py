"""The ablation: what each variant trains, that a stopped one goes on, and what its file holds."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ainet.benchmarks.ablation import RESULT, VARIANTS, run_ablation
from ainet.errors import UsageError
from ainet.training.networks import UNet
from ainet.training.recipe import Recipe
from ainet.training.trainer import STATE

RECIPE = Recipe("tiny", iterations=1, batch_size=1, lr=1e-3, crop=32, boundary="paper", jitter="paper")


class Halves:
    """A picture of two halves."""

    image_id = "halves"

    def segmentations(self) -> list[NDArray[np.uint16]]:
        labels = np.zeros((32, 48), np.uint16)
        labels[:, 20:] = 1
        return [labels]

    def image(self) -> NDArray[np.uint8]:
        return np.repeat(self.segmentations()[0][..., None] * 200, 3, 2).astype(np.uint8)


def test_every_variant_is_trained_and_measured_once(tmp_path: Path) -> None:
    measured: list[str] = []

    def validate(network: UNet) -> dict[str, float]:
        measured.append(type(network).__name__)
        return {"asa": float(len(measured))}

    rows = run_ablation(RECIPE, [Halves()], validate, tmp_path, device="cpu")
    assert [row["variant"] for row in rows] == list(VARIANTS)
    assert [row["network"] for row in rows] == ["scn", "ainet", "scn", "scn", "ainet", "ainet", "scn", "ainet", "ainet-pnbor", "ainet-cpix"]
    assert [(row["boundary"], row["jitter"]) for row in rows if row["variant"] in ("baseline", "AI+BPL", "PJ", "CPix")] == [
        ("off", "off"),
        ("off", "paper"),
        ("paper", "off"),
        ("paper", "paper"),
    ]
    assert [row["asa"] for row in rows] == list(range(1, 11)) and len(set(measured)) == 4
    content = json.loads((tmp_path / RESULT).read_text())
    assert content["rows"] == rows and content["recipe"]["iterations"] == 1


def test_a_stopped_ablation_goes_on(tmp_path: Path) -> None:
    recipe = Recipe("tiny", iterations=2, batch_size=1, lr=1e-3, crop=32, boundary="paper", jitter="paper")
    assert run_ablation(recipe, [Halves()], lambda network: {}, tmp_path, device="cpu", budget=0) == []
    assert (tmp_path / "baseline" / STATE).is_file() and not (tmp_path / "AI").exists()
    assert len(run_ablation(recipe, [Halves()], lambda network: {}, tmp_path, device="cpu")) == len(VARIANTS)


def test_a_recipe_without_the_parts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'tiny' has boundary or jitter 'off'"):
        run_ablation(Recipe("tiny", iterations=1, batch_size=1, lr=1e-3), [Halves()], lambda network: {}, tmp_path)
