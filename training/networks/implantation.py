"""The association-implantation (AI) module in closed form (Wang et al., AINet, ICCV 2021, Eq. 4-5).

The paper gives every pixel a 3x3 window of the grid cells around it, adds the pixel's own embedding at the centre and
runs a 3x3 convolution of stride 3 over the 3H x 3W result. All pixels of a cell share the eight outer entries and the
cell's part of the ninth, so the same numbers come from one convolution over the grid, repeated 16 x 16 times, plus a
1x1 convolution over the pixels. The literal window lives in the tests.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ainet.spec import CELL_SIZE


class Implantation(nn.Module):
    """Paper: the centre of the window is the pixel's own cell plus the pixel.

    Shapes: grid embedding M (B, C, h, w), pixel embedding e (B, C, 16h, 16w) -> (B, C', 16h, 16w); for an embedding of
    fewer `places` to a cell, in each direction, accordingly.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True, places: int = CELL_SIZE) -> None:
        super().__init__()
        self.places = places
        self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def grid_weight(self) -> Tensor:
        """The kernel that meets the grid embedding, (C', C, 3, 3)."""
        return self.weight

    def pixel_part(self, pixel: Tensor) -> Tensor:
        return F.conv2d(pixel, self.weight[:, :, 1:2, 1:2], self.bias)

    def grid_part(self, grid: Tensor) -> Tensor:
        return F.interpolate(F.conv2d(grid, self.grid_weight(), padding=1), scale_factor=self.places, mode="nearest")

    def forward(self, grid: Tensor, pixel: Tensor) -> Tensor:
        return self.pixel_part(pixel) + self.grid_part(grid)


class PNborImplantation(Implantation):
    """AINet-PNbor: every entry of the window also receives the embedding of the neighbouring pixel in its direction."""

    def pixel_part(self, pixel: Tensor) -> Tensor:
        return F.conv2d(pixel, self.weight, self.bias, padding=1)


class CPixImplantation(Implantation):
    """AINet-CPix: the centre of the window is the pixel alone, without its cell."""

    def grid_weight(self) -> Tensor:
        centre = torch.zeros(3, 3, dtype=self.weight.dtype, device=self.weight.device)
        centre[1, 1] = 1
        return self.weight * (1 - centre)


class PublicImplantation(Implantation):
    """The public code: windows of the 3H x 3W map start one row and one column early (stride 3 and padding 1).

    In row y of cell i = y // 16 the three kernel rows meet the rows (i+1, i-1, i) of M, except that kernel row 0
    meets row i in the first row of a cell, and nothing in the first row of the image. Columns behave alike, and the
    pixel meets W[2, 2]. So a cell has two kinds of rows and of columns: the first and the other fifteen.
    """

    def pixel_part(self, pixel: Tensor) -> Tensor:
        return F.conv2d(pixel, self.weight[:, :, 2:3, 2:3], self.bias)

    def grid_part(self, grid: Tensor) -> Tensor:
        windows = _public_lines(_public_lines(grid, 2), 3)  # (B, C, 6h, 6w)
        kinds = F.conv2d(windows, self.weight, stride=3)  # (B, C', 2h, 2w)
        return _expand_lines(_expand_lines(kinds, 2), 3)  # (B, C', 16h, 16w)


def _public_lines(grid: Tensor, dim: int) -> Tensor:
    """Gather along `dim` the lines that the 3 kernel lines meet in the first and in the other lines of each cell."""
    size = grid.shape[dim]
    zero = torch.zeros_like(grid.narrow(dim, 0, 1))
    padded = torch.cat((zero, grid, zero), dim)
    before, here, after = (padded.narrow(dim, start, size) for start in range(3))
    here_but_first = torch.cat((zero, grid.narrow(dim, 1, size - 1)), dim)
    lines = torch.stack((here_but_first, before, here, after, before, here), dim + 1)  # (..., size, 6, ...)
    return lines.flatten(dim, dim + 1)


def _expand_lines(kinds: Tensor, dim: int) -> Tensor:
    """Repeat along `dim` each pair (first, other) as one first line and fifteen others."""
    pairs = kinds.unflatten(dim, (-1, 2))  # (..., cells, 2, ...)
    first, other = pairs.narrow(dim + 1, 0, 1), pairs.narrow(dim + 1, 1, 1)
    repeats = [-1] * pairs.dim()
    repeats[dim + 1] = CELL_SIZE - 1
    return torch.cat((first, other.expand(repeats)), dim + 1).flatten(dim, dim + 1)
