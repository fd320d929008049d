"""The Laplacian trace loss against Laplacian matrices written out, and in a training step."""

from dataclasses import replace

import pytest
import torch
from support.gradients import assert_gradient
from torch import Tensor

from ainet.training.augment import Batch
from ainet.training.laplacian import laplacian_loss
from ainet.training.losses import association_loss
from ainet.training.networks import build
from ainet.training.recipe import Recipe
from ainet.training.step import FIGURES, TrainingStep


def random_association(batch: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(height * width)
    return 2 * torch.randn(batch, 9, height, width, generator=generator, dtype=torch.float64)


def literal_loss(prob: Tensor) -> Tensor:
    """A Laplacian over all pixels for each cell, from one-hot cell ids."""
    batch, _, height, width = prob.shape
    rows, columns = height // 16, width // 16
    y, x = (axis.flatten() for axis in torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"))
    association = torch.zeros(batch, rows * columns, height * width, dtype=prob.dtype)
    for k in range(9):
        row, column = y // 16 + k // 3 - 1, x // 16 + k % 3 - 1
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        one_hot = (torch.arange(rows * columns)[:, None] == row * columns + column) & inside  # (cells, pixels)
        association = association + one_hot * prob[:, k].reshape(batch, 1, -1)
    distance = torch.maximum((y[:, None] - y).abs(), (x[:, None] - x).abs())
    edges = distance == 1
    traces = []
    for q in association.flatten(0, 1):
        weight = q[:, None] * q * edges
        traces.append((weight.sum(1).diag() - weight).trace())
    side = torch.arange(48)
    window = (side[:, None] - side).abs() <= 1
    most = int(window.sum()) ** 2 - 48**2  # ordered pairs of 8-neighbours in a window
    return 1 - torch.stack(traces).mean() / most


@pytest.mark.parametrize(("batch", "height", "width"), [(1, 16, 16), (2, 32, 16), (1, 32, 48)])
def test_equals_the_laplacian_written_out(batch: int, height: int, width: int) -> None:
    results = []
    for loss in (laplacian_loss, literal_loss):
        leaf = random_association(batch, height, width).requires_grad_()
        value = loss(leaf.softmax(1))
        results.append((value, *torch.autograd.grad(value, leaf)))
    for own, literal in zip(*results, strict=True):
        torch.testing.assert_close(own, literal, rtol=1e-10, atol=1e-14)


def test_gradient() -> None:
    assert_gradient(lambda x: laplacian_loss(x.softmax(1)), random_association(2, 32, 32).contiguous(memory_format=torch.channels_last))


def test_whole_cells_cost_less_than_scattered_pixels() -> None:
    own = torch.zeros(1, 9, 48, 48)
    own[:, 4] = 1
    scattered = own.clone()
    scattered[:, 4, 1::4, 1::4], scattered[:, 5, 1::4, 1::4] = 0, 1  # single pixels go to the cell on the right
    cell = 4 * 16 * 15 + 4 * 15**2
    assert laplacian_loss(own).item() == pytest.approx(1 - cell / 17860)
    assert laplacian_loss(own) < laplacian_loss(scattered) < laplacian_loss(torch.full_like(own, 1 / 9))


def test_it_is_off_by_default_and_enters_the_step_with_its_weight() -> None:
    torch.manual_seed(0)
    network, recipe = build("scn"), Recipe("tiny", iterations=1, batch_size=2, lr=1e-3, crop=32)
    image, label = torch.rand(2, 3, 32, 32), torch.randint(3, (2, 1, 32, 32))
    batch = Batch(image, label, label)
    network.eval()
    prob = network(image).softmax(1)

    total, figures = TrainingStep(network, recipe, 3)(batch, None)
    assert torch.equal(total, association_loss(prob, label, 3).total)
    assert figures[FIGURES.index("laplacian")] == 0
    weighted, figures = TrainingStep(network, replace(recipe, laplacian_weight=7), 3)(batch, None)
    torch.testing.assert_close(weighted, total + 7 * laplacian_loss(prob))
    assert figures[FIGURES.index("laplacian")] == laplacian_loss(prob)
    down = TrainingStep(network, replace(recipe, single_class_weight=0.1), 3)(batch, None)[0]
    assert torch.equal(down, association_loss(prob, label, 3, single_class_weight=0.1).total)
