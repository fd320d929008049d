"""The AI module as it is defined: the 3H x 3W map of windows and a 3x3 convolution of stride 3 (AINet, Eq. 4-5)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def literal_implantation(grid: Tensor, pixel: Tensor, weight: Tensor, bias: Tensor | None, variant: str) -> Tensor:
    """Grid (B, C, h, w), pixel (B, C, 16h, 16w) -> (B, C', 16h, 16w); variant: paper, pnbor, cpix or released."""
    batch, channels, height, width = pixel.shape
    # For every pixel the 3x3 block of cells around its own: (B, C, 9, h, w), repeated to (B, C, 9, H, W).
    cells = F.unfold(grid, 3, padding=1).reshape(batch, channels, 9, *grid.shape[2:])
    windows = cells.repeat_interleave(16, 3).repeat_interleave(16, 4)
    if variant == "cpix":
        windows[:, :, 4] = pixel
    elif variant == "pnbor":
        windows = windows + F.unfold(pixel, 3, padding=1).reshape(batch, channels, 9, height, width)
    else:
        windows[:, :, 4] += pixel
    expanded = torch.zeros(batch, channels, 3 * height, 3 * width, dtype=pixel.dtype)
    for row in range(3):
        for column in range(3):
            expanded[:, :, row::3, column::3] = windows[:, :, 3 * row + column]
    return F.conv2d(expanded, weight, bias, stride=3, padding=1 if variant == "released" else 0)
