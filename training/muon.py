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
            for parameter in group["params"]:
                state: dict[str, Any] = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
                ahead = parameter.grad.lerp(state["momentum"], MOMENTUM).contiguous().flatten(1)  # Nesterov's
                size = SCALE * max(ahead.shape) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(orthogonal(ahead).view(parameter.shape), alpha=group["lr"] * size)


def orthogonal(matrix: Tensor) -> Tensor:
    """The orthogonal matrix next to (M, N) `matrix`, roughly: the same singular vectors, with singular values of 0.7 to 1.2."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT
    wide = wide / (wide.norm() + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(ROUNDS):
        square = wide @ wide.mT
        wide = a * wide + (b * square + c * square @ square) @ wide
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.mT
