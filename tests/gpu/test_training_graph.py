"""Compiled training steps, replayed as CUDA graphs: what they compute is what single launches compute."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ainet.training.options import RunOptions  # noqa: E402
from ainet.training.recipe import Recipe  # noqa: E402 - needs torch
from ainet.training.trainer import Trainer  # noqa: E402

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU")]

# The boundary loss sets in on the way, and the learning rate changes at every step.
RECIPE = Recipe(
    "tiny",
    iterations=12,
    annotations=2,
    batch_size=2,
    lr=1e-3,
    crop=64,
    schedule="cosine",
    boundary="paper",
    boundary_start=6,
    jitter="paper",
    single_class_weight=0.1,
    laplacian_weight=1.0,
)


class Tiles:
    """Coloured tiles and the map of them."""

    image_id = "tiles"

    def segmentations(self):
        labels = np.add.outer(np.arange(80) // 30 * 4, np.arange(96) // 26).astype(np.uint16)
        return [labels, labels // 2]

    def image(self):
        return np.random.default_rng(0).integers(0, 256, (12, 3))[self.segmentations()[0]].astype(np.uint8)


@pytest.mark.parametrize(("network", "bf16"), [("scn", False), ("ainet", False), ("ainet", True)])
def test_a_compiled_run_is_the_plain_one(tmp_path: Path, network: str, bf16: bool) -> None:
    recipe = replace(RECIPE, bf16=bf16)
    plain = Trainer(network, recipe, [Tiles()], tmp_path / "plain", RunOptions(device="cuda"))
    compiled = Trainer(network, recipe, [Tiles()], tmp_path / "compiled", RunOptions(device="cuda", compiled=True))
    figures = [(plain.step(), compiled.step()) for _ in range(recipe.iterations)]
    tolerance = 0.05 if bf16 else 0.005  # sums by atomic adds come in any order, and Adam makes much of little
    for expected, own in figures:
        torch.testing.assert_close(own, expected, rtol=tolerance, atol=1e-3)
    assert all(own[3] > 0 for _, own in figures[recipe.boundary_start :])
    assert len({own[0].item() for _, own in figures}) == len(figures)  # not one figure, overwritten
    start = Trainer(network, recipe, [Tiles()], tmp_path / "start", RunOptions(device="cuda"))
    parameters = (trainer.network.parameters() for trainer in (compiled, plain, start))
    moved = [(mine - theirs).abs().mean() / (theirs - first).abs().mean() for mine, theirs, first in zip(*parameters, strict=True)]
    assert torch.stack(moved).median() < 0.1  # of the way from the start, which is the same


def test_a_compiled_run_goes_on(tmp_path: Path) -> None:
    options = RunOptions(device="cuda", compiled=True)
    whole = Trainer("scn", RECIPE, [Tiles()], tmp_path / "whole", options)
    whole.run()
    first = Trainer("scn", RECIPE, [Tiles()], tmp_path / "pieces", options)
    for _ in range(5):
        first.step()
    first.save()
    second = Trainer("scn", RECIPE, [Tiles()], tmp_path / "pieces", options)
    assert second.iteration == 5 and second.run()
    torch.testing.assert_close(second.network.pred_mask0.weight, whole.network.pred_mask0.weight, rtol=0.05, atol=5e-3)
