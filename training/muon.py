"""Muon: momentum whose steps are made orthogonal, for the kernels of convolutions.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024); the scale of a step is that of Liu et al., "Muon
is Scalable for LLM Training" (arXiv 2502.16982, Eq. 4), so that a learning rate for Adam serves here too. PyTorch's own Muon takes
matrices alone, no kernels.
"""

from collections.abc import Callable, Iterable, Sequence
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
            # Channels last, as the network has its kernels: such a matrix is a view, and the order of its columns does not matter.
            matrices = [step.movedim(1, -1).flatten(1) for step in ahead]
            steps = [matrix.view_as(step.movedim(1, -1)).movedim(-1, 1) for matrix, step in zip(orthogonal(matrices), ahead, strict=True)]
            torch._foreach_mul_(steps, [-group["lr"] * SCALE * max(matrix.shape) ** 0.5 for matrix in matrices])
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(parameters, steps)

    def _momentum(self, parameter: Tensor) -> Tensor:
        state: dict[str, Any] = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum: Tensor = state["momentum"]
        return momentum


def orthogonal(matrices: Sequence[Tensor]) -> list[Tensor]:
    """The orthogonal matrices next to (M, N) `matrices`, roughly: the same singular vectors, with singular values of 0.7 to 1.2.

    Matrices of one lesser dimension are computed together, as a GPU takes longer to launch a small product than to compute it.
    """
    wide = [matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT for matrix in matrices]
    found: list[Tensor] = list(wide)
    for size in sorted({matrix.shape[0] for matrix in wide}):
        members = [number for number, matrix in enumerate(wide) if matrix.shape[0] == size]
        factors = _inverse_roots(torch.stack([wide[number] @ wide[number].mT for number in members]))
        for number, factor in zip(members, factors, strict=True):
            found[number] = factor @ wide[number]
    return [own if own.shape == matrix.shape else own.mT for own, matrix in zip(found, matrices, strict=True)]


def _inverse_roots(squares: Tensor) -> Tensor:
    """For (B, M, M) `squares` X X^T, factors (B, M, M) with which X becomes roughly orthogonal.

    A round of the iteration multiplies X by P = a I + b S + c S^2, where S is X X^T: S itself becomes P S P, and so the far longer X is
    needed only before the first round and after the last. In float32: in bfloat16 the squares of small singular values would be lost.
    """
    a, b, c = COEFFICIENTS
    norms = squares.diagonal(dim1=1, dim2=2).sum(1).sqrt()[:, None, None] + 1e-7
    square = squares / norms.square()
    factor = torch.eye(square.shape[1], dtype=square.dtype, device=square.device).expand_as(square)
    for _ in range(ROUNDS):
        rest = torch.baddbmm(square, square, square, beta=b, alpha=c)  # P - a I
        factor = torch.baddbmm(factor, rest, factor, beta=a)
        half = torch.baddbmm(square, rest, square, beta=a)
        square = torch.baddbmm(half, half, rest, beta=a)
    return factor / norms
