"""Muon: its steps have the gradient's singular vectors and equal singular values, and they lead downhill."""

import pytest
import torch
from torch import nn

from ainet.training.muon import MOMENTUM, SCALE, Muon, orthogonal


@pytest.mark.parametrize("shape", [(8, 8), (6, 30), (30, 6)])
def test_singular_values_become_equal(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    left = torch.linalg.qr(torch.randn(shape[0], min(shape), generator=generator, dtype=torch.float64)).Q
    right = torch.linalg.qr(torch.randn(shape[1], min(shape), generator=generator, dtype=torch.float64)).Q
    values = torch.linspace(1, 0.05, min(shape), dtype=torch.float64)
    found = orthogonal(left @ values.diag() @ right.mT)
    rotated = left.mT @ found @ right
    torch.testing.assert_close(rotated, rotated.diagonal().diag(), rtol=0, atol=1e-9)
    assert rotated.diagonal().min() > 0.6 and rotated.diagonal().max() < 1.3


def test_a_step_has_the_size_of_the_learning_rate_and_weights_decay_on_their_own() -> None:
    torch.manual_seed(0)
    kernel = nn.Parameter(torch.randn(16, 8, 3, 3))
    before, optimizer = kernel.detach().clone(), Muon([kernel], lr=0.01, weight_decay=0.5)
    kernel.grad = 1e-6 * torch.randn_like(kernel)
    optimizer.step()
    change = kernel.detach() - before * (1 - 0.01 * 0.5)
    assert change.square().mean().sqrt().item() == pytest.approx(0.01 * SCALE, rel=0.2)
    assert (change * kernel.grad).sum() < 0


def test_momentum_is_carried_over_and_belongs_to_the_state() -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(4, 6), torch.randn(3, 4, 6)
    whole, pieces = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    optimizer, state = Muon([whole], lr=0.1), None
    for gradient in gradients:
        whole.grad = pieces.grad = gradient.clone()
        optimizer.step()
        resumed = Muon([pieces], lr=0.1)
        if state is not None:
            resumed.load_state_dict(state)
        resumed.step()
        state = resumed.state_dict()
    assert torch.equal(whole, pieces)
    expected = sum((1 - MOMENTUM) * MOMENTUM ** (2 - n) * gradient for n, gradient in enumerate(gradients))
    torch.testing.assert_close(optimizer.state[whole]["momentum"], expected)


def test_a_linear_map_is_learnt() -> None:
    torch.manual_seed(0)
    wanted, inputs = torch.randn(6, 10), torch.randn(10, 200)
    weight = nn.Parameter(torch.zeros(6, 10))
    optimizer = Muon([weight], lr=0.1)
    losses = []
    for number in range(200):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - number / 200)
        loss = ((weight - wanted) @ inputs).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.01 * losses[0]
