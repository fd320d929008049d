"""AINet as its public code has it: a local attention block after the encoder, and the shifted AI window."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ainet.spec import EMBEDDING_CHANNELS
from ainet.training.networks.ainet import AINet
from ainet.training.networks.blocks import conv
from ainet.training.networks.implantation import PublicImplantation


class LocalAttention(nn.Module):
    """Two rounds of attention over the 3x3 neighbourhood, each channel for itself; the second is dilated."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.QConv1, self.KConv1, self.VConv1 = (conv(channels, channels) for _ in range(3))
        self.QConv2, self.KConv2, self.VConv2 = (conv(channels, channels, dilation=2) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:  # (B, C, h, w) -> (B, C, h, w)
        x = attend(self.QConv1(x), self.KConv1(x), self.VConv1(x))
        return attend(self.QConv2(x), self.KConv2(x), self.VConv2(x))


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Softmax of Q_c(p) K_c(q) / sqrt(C) over the 9 neighbours q of p, for every channel c; all (B, C, h, w).

    Neighbours outside the map have K = V = 0: they take weight and add nothing.
    """
    logits = query.unsqueeze(2) * _neighbours(key) / query.shape[1] ** 0.5  # (B, C, 9, h, w)
    return (logits.softmax(2) * _neighbours(value)).sum(2)


def _neighbours(x: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, C, 9, h, w), zeros outside."""
    height, width = x.shape[2:]
    padded = F.pad(x, (1, 1, 1, 1))
    return torch.stack([padded[:, :, i : i + height, j : j + width] for i in range(3) for j in range(3)], 2)


class AINetPublic(AINet):
    """Loads the public checkpoints key by key and gives the public code's outputs."""

    def __init__(self) -> None:
        super().__init__(PublicImplantation(EMBEDDING_CHANNELS, EMBEDDING_CHANNELS, bias=False))
        self.sp_pred = LocalAttention(256)

    def encode(self, image: Tensor) -> list[Tensor]:
        *features, last = super().encode(image)
        return [*features, last + self.sp_pred(last)]
