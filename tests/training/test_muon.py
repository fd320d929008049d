"""Muon: its steps have the gradient's singular vectors and equal singular values, and they lead downhill."""

import math

import pytest
import torch
from torch import Tensor, nn

from ainet.training.muon import MOMENTUM, SCALE, Muon, orthogonal

SHAPES = [(8, 8), (6, 30), (30, 6), (6, 45), (8, 9), (1, 4)]


def with_singular_values(shape: tuple[int, int], smallest: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Left vectors, values from 1 down to `smallest` by equal factors, right vectors (transposed); float64."""
    generator = torch.Generator().manual_seed(seed)
    left, right = (torch.linalg.qr(torch.randn(n, min(shape), generator=generator, dtype=torch.float64)).Q for n in shape)
    return left, torch.logspace(0, math.log10(smallest), min(shape), dtype=torch.float64), right.mT


def by_the_source(matrix: Tensor) -> Tensor:
    """Muon's iteration of one matrix, as its source has it."""
    x = matrix / (matrix.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x


def test_singular_values_become_equal() -> None:
    parts = [with_singular_values(shape, 0.05, seed) for seed, shape in enumerate(SHAPES)]
    for (left, _, right), found in zip(parts, orthogonal([left @ values.diag() @ right for left, values, right in parts]), strict=True):
        rotated = left.mT @ found @ right.mT
        torch.testing.assert_close(rotated, rotated.diagonal().diag(), rtol=0, atol=1e-9)
        assert rotated.diagonal().min() > 0.6 and rotated.diagonal().max() < 1.3


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-3)])
@pytest.mark.parametrize("smallest", [0.1, 1e-3, 1e-6])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_all_kernels_at_once_are_each_by_itself(dtype: torch.dtype, tolerance: float, smallest: float, scale: float) -> None:
    """Even where most singular values are so small that their squares vanish beside the largest."""
    shapes = [*SHAPES, (64, 576), (256, 288), (64, 90)]
    matrices = [scale * left @ values.diag() @ right for left, values, right in map(with_singular_values, shapes, [smallest] * 9, range(9))]
    for found, matrix in zip(orthogonal([matrix.to(dtype) for matrix in matrices]), matrices, strict=True):
        assert found.dtype == dtype
        torch.testing.assert_close(found.double(), by_the_source(matrix), rtol=0, atol=tolerance)


def test_no_gradient_is_no_step() -> None:
    assert [float(found.abs().sum()) for found in orthogonal([torch.zeros(3, 5), torch.zeros(3, 7)])] == [0, 0]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_step_is_the_same_in_every_memory_layout(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    kernels = [nn.Parameter(torch.randn(shape).to(memory_format=layout)) for shape in ((16, 8, 3, 3), (16, 3, 3, 3), (8, 16, 4, 4))]
    before, gradients = [kernel.detach().clone() for kernel in kernels], [torch.randn_like(kernel) for kernel in kernels]
    for kernel, gradient in zip(kernels, gradients, strict=True):
        kernel.grad = gradient
    Muon(kernels, lr=0.1).step()
    for kernel, start, gradient in zip(kernels, before, gradients, strict=True):
        step = (1 - MOMENTUM) * MOMENTUM * gradient + (1 - MOMENTUM) * gradient  # Nesterov's, from a momentum of 0
        matrix = step.reshape(step.shape[0], -1).double()
        expected = start - 0.1 * SCALE * max(matrix.shape) ** 0.5 * by_the_source(matrix).view_as(step).float()
        torch.testing.assert_close(kernel.detach(), expected, rtol=0, atol=1e-4)


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
