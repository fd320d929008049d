"""SSN's differentiable SLIC against the plain one, over all pixels and all cells."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ainet.training.losses import association_loss
from ainet.training.networks.ssn import EPSILON, ITERATIONS, POSITION_SCALE, SSN, cell_ids, differentiable_slic, grid_size, ssn_input


def plain_slic(features: Tensor, rows: int, columns: int) -> Tensor:
    """(C, H, W) -> association (rows * columns, H, W) of all cells, 0 for those that are not around a pixel's own."""
    _, height, width = features.shape
    home = F.interpolate(torch.arange(rows * columns).double().view(1, 1, rows, columns), (height, width), mode="nearest").long().flatten()
    cell = torch.arange(rows * columns)
    row_distance = (home[None] // columns - cell[:, None] // columns).abs()
    column_distance = (home[None] % columns - cell[:, None] % columns).abs()
    far = (row_distance > 1) | (column_distance > 1)
    pixels = features.flatten(1)
    centres = F.adaptive_avg_pool2d(features[None], (rows, columns))[0].flatten(1)
    for _ in range(ITERATIONS):
        distance = (centres[:, :, None] - pixels[:, None]).square().sum(0)  # (cells, pixels)
        q = (-distance).masked_fill(far, -torch.inf).softmax(0)
        centres = (pixels @ q.mT) / (q.sum(1) + EPSILON)
    return q.view(-1, height, width)


@pytest.mark.parametrize(("size", "grid"), [((13, 17), (3, 4)), ((16, 8), (4, 2)), ((5, 9), (1, 3)), ((7, 7), (7, 7)), ((10, 3), (4, 1))])
def test_equals_the_plain_algorithm(size: tuple[int, int], grid: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(2, 6, *size, generator=generator, dtype=torch.float64) * 3
    features[:, :2] += 100  # far from the origin, as positions are
    logits = differentiable_slic(features, *grid)
    assert logits.shape == (2, 9, *size)
    association, ids = logits.softmax(1), cell_ids(logits, *grid)
    for b in range(2):
        expected = plain_slic(features[b], *grid)
        assert torch.equal(ids[b], expected.argmax(0))
        np.testing.assert_allclose(association[b].amax(0), expected.amax(0), rtol=1e-9)
        kept, _ = association[b].sort(0)
        np.testing.assert_allclose(kept, expected.sort(0).values[-9:] if len(expected) >= 9 else _padded(expected), atol=1e-9)


def _padded(association: Tensor) -> Tensor:
    return F.pad(association.sort(0).values, (0, 0, 0, 0, 9 - len(association), 0))


def test_input_and_grid() -> None:
    lab = torch.rand(1, 3, 20, 30) * 100
    x = ssn_input(lab, 50)
    scale = POSITION_SCALE * max(7 / 20, 7 / 30)
    torch.testing.assert_close(x[:, :3], 0.26 * lab)
    torch.testing.assert_close(x[0, 3, :, 4], torch.arange(20.0) * scale)
    torch.testing.assert_close(x[0, 4, 5], torch.arange(30.0) * scale)
    assert grid_size(321, 481, 600) == (20, 29)
    assert grid_size(481, 321, 100) == (12, 8)
    assert grid_size(1, 9, 4) == (1, 6)


def test_gradients_reach_every_weight_through_the_loss_of_the_trainer() -> None:
    torch.manual_seed(0)
    network = SSN()
    lab = torch.rand(2, 3, 64, 48) * 60
    logits = network(ssn_input(lab, 12), 4, 3)  # cells of 16 x 16
    label = torch.randint(0, 5, (2, 64, 48))
    association_loss(logits.softmax(1), label[:, None], 5).total.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name
