"""Gradients against finite differences, relative to their own size: `torch.autograd.gradcheck` is blind to those below its `atol`."""

import torch

STEP = 1e-4


def assert_gradient(function, x, directions=4):
    """The derivative of a scalar function of a float64 tensor along random directions, by autograd and by central differences."""
    assert x.dtype == torch.float64
    generator = torch.Generator().manual_seed(0)
    leaf = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    (gradient,) = torch.autograd.grad(function(leaf), leaf)
    for _ in range(directions):
        direction = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        direction /= direction.norm()
        with torch.no_grad():
            numeric = (function(leaf + STEP * direction) - function(leaf - STEP * direction)) / (2 * STEP)
        assert abs(numeric) > 1e-9
        torch.testing.assert_close((gradient * direction).sum(), numeric, rtol=1e-3, atol=0)
