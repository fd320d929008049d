"""Training of SSN: its loss against the literal form, its colours against scikit-image, and the way through the trainer."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from skimage.color import rgb2lab
from support.gradients import assert_gradient
from torch import Tensor

from ainet.benchmarks.peers import Options, open_method
from ainet.errors import ModelError, UsageError
from ainet.training.checkpoint import load_checkpoint
from ainet.training.lab import rgb_to_lab
from ainet.training.networks.ssn import SSN, differentiable_slic, near_cells
from ainet.training.recipe import load_recipe
from ainet.training.run_state import WEIGHTS
from ainet.training.ssn import SSNStep, ssn_loss
from ainet.training.step import FIGURES
from ainet.training.trainer import Trainer

pytestmark = pytest.mark.slow

RECIPE = replace(load_recipe("ssn"), iterations=4, batch_size=2, crop=32, lr=1e-3, ema_decay=0.9)


@dataclass
class Stripes:
    """Stripes of two greys in noise, and the map of them."""

    number: int

    @property
    def image_id(self) -> str:
        return f"stripes{self.number}"

    def segmentations(self) -> list[NDArray[np.uint16]]:
        return [np.add.outer(np.arange(40) // (9 + self.number), np.arange(48) // 50).astype(np.uint16)]

    def image(self) -> NDArray[np.uint8]:
        grey = 110 + 40 * (self.segmentations()[0][..., None] % 2)
        return np.random.default_rng(self.number).normal(grey, 30, (40, 48, 3)).clip(0, 255).astype(np.uint8)


SAMPLES = [Stripes(number) for number in range(3)]


def literal_loss(logits: Tensor, label: Tensor, classes: int, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """With a dense association of all cells and one-hot labels."""
    batch, _, height, width = logits.shape
    cells = near_cells(height, width, rows, columns, logits.device)
    association = torch.zeros(batch, rows * columns, height, width, dtype=logits.dtype)
    for k, q in enumerate(logits.softmax(1).unbind(1)):
        association = association + F.one_hot(cells[k], rows * columns).permute(2, 0, 1) * q[:, None]
    association = association.flatten(2)  # (B, cells, pixels)
    one_hot = F.one_hot(label.flatten(1), classes).to(logits.dtype)  # (B, pixels, classes)
    means = association @ one_hot / association.sum(2, keepdim=True)
    cross_entropy = -(association.mT @ means).log()[one_hot.bool()].mean()
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    position = torch.stack((y, x), 2).flatten(0, 1).to(logits.dtype)  # (pixels, 2)
    centres = association @ position / association.sum(2, keepdim=True)
    hard = F.one_hot(association.argmax(1), rows * columns).to(logits.dtype)  # (B, pixels, cells)
    return cross_entropy, F.mse_loss(hard @ centres, position.expand(batch, -1, -1))


@pytest.mark.parametrize(("size", "grid"), [((24, 24), (3, 3)), ((20, 31), (4, 3)), ((12, 9), (1, 2))])
def test_the_loss_equals_the_literal_one_hot_form(size: tuple[int, int], grid: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    label = torch.randint(4, (2, *size), generator=generator)
    results = []
    for loss in (ssn_loss, literal_loss):
        features = torch.rand(2, 6, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
        semantic, position = loss(differentiable_slic(3 * features, *grid, 3), label, 4, *grid)
        results.append((semantic, position, *torch.autograd.grad(semantic + position, features)))
    for own, literal in zip(*results, strict=True):
        torch.testing.assert_close(own, literal, rtol=1e-9, atol=1e-12)


def test_gradient() -> None:
    features = torch.rand(1, 4, 12, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    label = torch.arange(12 * 16).view(1, 12, 16) // 40
    assert_gradient(lambda x: sum(ssn_loss(differentiable_slic(x, 2, 3, 2), label, 5, 2, 3)), features)


def test_lab_equals_scikit_image() -> None:
    levels = np.linspace(0, 1, 18)
    rgb = np.stack(np.meshgrid(levels, levels, levels), 3).reshape(54, 108, 3)
    own = rgb_to_lab(torch.from_numpy(rgb).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    np.testing.assert_allclose(own, rgb2lab(rgb), atol=1e-6)


def test_the_loss_of_one_batch_falls_and_gradients_reach_every_weight(tmp_path: Path) -> None:
    trainer = Trainer("ssn", replace(RECIPE, iterations=1), SAMPLES, tmp_path)
    step, batch = SSNStep(trainer.network, trainer.recipe, trainer.sampler.classes), trainer.sampler.batch(0)
    figures = []
    for _ in range(25):
        loss, of_step = step(batch, None)
        trainer.network.zero_grad()
        loss.backward()
        trainer.optimizers[0].step()
        figures.append(of_step)
    for name, parameter in trainer.network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    losses = dict(zip(FIGURES, torch.stack(figures).unbind(1), strict=True))
    assert losses["loss"][-1] < 0.9 * losses["loss"][0]  # how far depends on the processor
    torch.testing.assert_close(losses["loss"], losses["semantic"] + losses["position"])
    assert (losses["position"] > 0).all() and (losses["position"] < 1e-5 * 32**2).all()
    assert not losses["boundary"].any() and not losses["laplacian"].any()


def test_a_stopped_run_ends_with_the_same_weights_and_loads_as_a_peer(tmp_path: Path) -> None:
    whole = Trainer("ssn", RECIPE, SAMPLES, tmp_path / "whole")
    whole.run()
    while not (pieces := Trainer("ssn", RECIPE, SAMPLES, tmp_path / "pieces")).run(budget=1e-9):
        pass
    for own, other in ((pieces.network, whole.network), (pieces.ema.module, whole.ema.module)):
        expected = other.state_dict()
        assert [key for key, value in own.state_dict().items() if not torch.equal(value, expected[key])] == []

    (tmp_path / "ssn.safetensors").write_bytes((tmp_path / "whole" / WEIGHTS).read_bytes())
    method = open_method("ssn", Options(tmp_path))
    assert method.trained and method(SAMPLES[0].image(), 12).max() > 3
    with pytest.raises(ModelError, match="holds the unknown network 'ssn'"):  # nothing else takes it for one of its own
        load_checkpoint(tmp_path / "whole" / WEIGHTS)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"boundary": "paper"}, "boundary"), ({"laplacian_weight": 1.0}, "laplacian_weight"), ({"annotations": 2}, "annotations")],
)
def test_losses_that_it_lacks_are_refused(change: dict[str, str | float], field: str) -> None:
    with pytest.raises(UsageError, match=f"SSN has no {field}, which is .*; use the recipe 'ssn'"):
        SSNStep(SSN(), replace(RECIPE, **change), 3)
