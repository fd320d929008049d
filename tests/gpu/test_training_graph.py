"""Training updates replayed as a CUDA graph: what they compute is what single launches compute."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ainet.training.capture import WARM_UP, CapturedUpdate  # noqa: E402 - needs torch
from ainet.training.recipe import Recipe  # noqa: E402
from ainet.training.trainer import Trainer  # noqa: E402

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU")]

# The boundary loss sets in on the way, and the learning rate changes at every step.
RECIPE = Recipe(
    "tiny",
    iterations=4 * WARM_UP,
    batch_size=2,
    lr=1e-3,
    crop=64,
    schedule="cosine",
    boundary="paper",
    boundary_start=2 * WARM_UP,
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


@pytest.mark.parametrize(
    ("network", "bf16", "compiled"), [("scn", False, False), ("ainet", False, False), ("ainet", True, False), ("ainet", False, True)]
)
def test_a_captured_run_is_the_plain_one(tmp_path: Path, network: str, bf16: bool, compiled: bool) -> None:
    recipe = replace(RECIPE, bf16=bf16)
    plain = Trainer(network, recipe, [Tiles()], tmp_path / "plain", device="cuda")
    captured = Trainer(network, recipe, [Tiles()], tmp_path / "captured", device="cuda", compiled=compiled, captured=True)
    figures = [(plain.step(), captured.step()) for _ in range(recipe.iterations)]
    assert isinstance(captured._update, CapturedUpdate) and captured._update._graph is not None
    tolerance = 0.05 if bf16 else 0.005  # sums by atomic adds come in any order, and Adam makes much of little
    for expected, own in figures:
        torch.testing.assert_close(own, expected, rtol=tolerance, atol=1e-3)
    assert all(own[3] > 0 for _, own in figures[recipe.boundary_start :])
    assert len({own[0].item() for _, own in figures}) == len(figures)  # not one figure, overwritten
    moved = [
        (mine - theirs).abs().mean() / (theirs - start).abs().mean()
        for mine, theirs, start in zip(
            captured.network.parameters(),
            plain.network.parameters(),
            Trainer(network, recipe, [Tiles()], tmp_path / "start", device="cuda").network.parameters(),
            strict=True,
        )
    ]
    assert torch.stack(moved).median() < 0.1  # of the way from the start, which is the same


def test_a_captured_run_goes_on(tmp_path: Path) -> None:
    whole = Trainer("scn", RECIPE, [Tiles()], tmp_path / "whole", device="cuda", captured=True)
    whole.run()
    first = Trainer("scn", RECIPE, [Tiles()], tmp_path / "pieces", device="cuda", captured=True)
    for _ in range(WARM_UP + 2):
        first.step()
    first.save()
    second = Trainer("scn", RECIPE, [Tiles()], tmp_path / "pieces", device="cuda", captured=True)
    assert second.iteration == WARM_UP + 2 and second.run()
    torch.testing.assert_close(second.network.pred_mask0.weight, whole.network.pred_mask0.weight, rtol=0.05, atol=5e-3)
