"""The association losses written out with one-hot maps at full resolution: slow, plain, and what the fast form must equal."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ainet.spec import CELL_SIZE, NEIGHBOURS
from ainet.training.losses import EPSILON, LOSS_SCALE, POSITION_WEIGHT


def pool(feature: Tensor, prob: Tensor) -> Tensor:
    """(B, C, H, W), (B, 9, H, W) -> (B, C, h, w): sum(Q f) / (sum(Q) + 1e-8) per cell, both sums as 16 x 16 averages."""
    total = weight = torch.zeros((), dtype=prob.dtype, device=prob.device)
    for k in range(NEIGHBOURS):
        own = prob[:, k : k + 1]
        total = total + _deliver(F.avg_pool2d(feature * own, CELL_SIZE), k)
        weight = weight + _deliver(F.avg_pool2d(own, CELL_SIZE), k)
    return total / (weight + EPSILON)


def reconstruct(pooled: Tensor, prob: Tensor) -> Tensor:
    """(B, C, h, w), (B, 9, H, W) -> (B, C, H, W): sum over the 9 cells around a pixel, 0 outside."""
    height, width = pooled.shape[2:]
    padded = F.pad(pooled, (1, 1, 1, 1))
    rebuilt = torch.zeros((), dtype=prob.dtype, device=prob.device)
    for k in range(NEIGHBOURS):
        cell = padded[:, :, k // 3 : k // 3 + height, k % 3 : k % 3 + width]
        rebuilt = rebuilt + F.interpolate(cell, scale_factor=CELL_SIZE) * prob[:, k : k + 1]
    return rebuilt


def literal_loss(prob: Tensor, label: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Semantic and position term of Eq. 1-3, scalars; arguments as for `ainet.training.losses.association_loss`."""
    one_hot = F.one_hot(label, classes).permute(0, 3, 1, 2).to(prob.dtype)
    y, x = torch.meshgrid(*(torch.arange(size, dtype=prob.dtype, device=prob.device) for size in prob.shape[2:]), indexing="ij")
    position = torch.stack((y, x)).expand(len(prob), -1, -1, -1)
    rebuilt = reconstruct(pool(torch.cat((one_hot, position), 1), prob), prob)
    semantic = -((rebuilt[:, :-2] + EPSILON).log() * one_hot).sum() / len(prob)
    spatial = (rebuilt[:, -2:] - position).norm(dim=1).sum() / len(prob) * POSITION_WEIGHT / CELL_SIZE
    return LOSS_SCALE * semantic, LOSS_SCALE * spatial


def _deliver(sent: Tensor, k: int) -> Tensor:
    """Move what every cell sends to its neighbour k; what leaves the grid is lost."""
    height, width = sent.shape[2:]
    top, left = 2 - k // 3, 2 - k % 3
    return F.pad(sent, (1, 1, 1, 1))[:, :, top : top + height, left : left + width]
