"""Muon: momentum whose steps are made orthogonal, for the kernels of convolutions.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024); the scale of a step is that of Liu et al., "Muon
is Scalable for LLM Training" (arXiv 2502.16982, Eq. 4), so that a learning rate for Adam serves here too. PyTorch's own Muon takes
matrices alone, no kernels.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
SCALE = 0.2  # of a step's root mean square, relative to the learning rate; Adam's is 0.2 to 0.4
ROUNDS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic Newton-Schulz iteration, tuned in the source for few rounds


class Muon(torch.optim.Optimizer):
    """For parameters of two or more dimensions; the first one against the others is the matrix that a step is made of."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step along the gradients; weight decay is decoupled from them. `closure` is not used."""
        for group in self.param_groups:
            parameters = group["params"]
            gradients = [parameter.grad for parameter in parameters]
            momenta = [self._momentum(parameter) for parameter in parameters]
            torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
            ahead = torch._foreach_lerp(gradients, momenta, MOMENTUM)  # Nesterov's
            matrices = [step.contiguous().flatten(1) for step in ahead]
            steps = [
                orthogonal(matrix).view(matrix.shape[0], *parameter.shape[1:])
                for matrix, parameter in zip(matrices, parameters, strict=True)
            ]
            torch._foreach_mul_(steps, [-group["lr"] * SCALE * max(matrix.shape) ** 0.5 for matrix in matrices])
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(parameters, steps)

    def _momentum(self, parameter: Tensor) -> Tensor:
        state: dict[str, Any] = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum: Tensor = state["momentum"]
        return momentum


def orthogonal(matrix: Tensor) -> Tensor:
    """The orthogonal matrix next to (M, N) `matrix`, roughly: the same singular vectors, with singular values of 0.7 to 1.2."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT
    wide = wide / (wide.norm() + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(ROUNDS):
        square = wide @ wide.mT
        both = torch.addmm(square, square, square, beta=b, alpha=c)
        wide = torch.addmm(wide, both, wide, beta=a)
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.mT
