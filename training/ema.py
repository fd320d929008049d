"""Exponential moving average of a network's weights."""

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class EMA(Generic[Network]):
    """`module` is a copy of the network whose weights and BatchNorm statistics trail behind the trained ones.

    In the first updates the decay is (1 + n) / (10 + n), so that the random start is soon forgotten.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.module = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self._own, self._live = _averaged(self.module), _averaged(network)

    @torch.no_grad()
    def update(self, count: int) -> None:
        """Move towards the network; `count` is the number of updates before this one."""
        decay = min(self.decay, (1 + count) / (10 + count))
        torch._foreach_lerp_(self._own, self._live, 1 - decay)


def _averaged(network: nn.Module) -> list[Tensor]:
    """Weights and BatchNorm statistics, without BatchNorm's count of batches."""
    return [value for value in network.state_dict().values() if value.is_floating_point()]
