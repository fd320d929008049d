"""SSN: a feature network and differentiable SLIC (Jampani et al., "Superpixel Sampling Networks", ECCV 2018).

    network = SSN()
    rows, columns = grid_size(height, width, n_segments)
    logits = network(ssn_input(lab, n_segments), rows, columns)    # (B, 9, H, W)
    cell_ids(logits, rows, columns)                                 # (B, H, W), the superpixels before connectivity

Attribute names are those of the common PyTorch ports, so their state dict loads by its keys. As with the other networks,
the softmax of the logits over the 9 channels is the association map Q of a pixel with the cells around its own, in raster
order; with a grid of 16 x 16 pixels per cell it is what the association loss takes.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ainet.spec import NEIGHBOURS

COLOUR_SCALE = 0.26
POSITION_SCALE = 2.5
ITERATIONS = 10
EPSILON = 1e-16


class SSN(nn.Module):
    """Features of each pixel, 15 learned and the 5 of the input, clustered by differentiable SLIC."""

    def __init__(self) -> None:
        super().__init__()
        self.scale1 = nn.Sequential(_conv(5), _conv(64))
        self.scale2 = nn.Sequential(nn.MaxPool2d(3, 2, padding=1), _conv(64), _conv(64))
        self.scale3 = nn.Sequential(nn.MaxPool2d(3, 2, padding=1), _conv(64), _conv(64))
        self.output_conv = nn.Sequential(nn.Conv2d(5 + 3 * 64, 15, 3, padding=1), nn.ReLU())

    def features(self, x: Tensor) -> Tensor:
        """Input (B, 5, H, W) as of `ssn_input` -> (B, 20, H, W)."""
        s1 = self.scale1(x)  # (B, 64, H, W)
        s2 = self.scale2(s1)  # (B, 64, H/2, W/2)
        s3 = self.scale3(s2)  # (B, 64, H/4, W/4)
        coarse = [F.interpolate(s, x.shape[2:], mode="bilinear", align_corners=False) for s in (s2, s3)]
        return torch.cat((self.output_conv(torch.cat((x, s1, *coarse), 1)), x), 1)

    def forward(self, x: Tensor, rows: int, columns: int) -> Tensor:
        """Input (B, 5, H, W) -> logits (B, 9, H, W)."""
        return differentiable_slic(self.features(x), rows, columns)


def _conv(in_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU())


def grid_size(height: int, width: int, n_segments: int) -> tuple[int, int]:
    """Rows and columns of the grid of cells."""
    rows, columns = (max(1, int(math.sqrt(n_segments * ratio))) for ratio in (height / width, width / height))
    return min(rows, height), min(columns, width)


def ssn_input(lab: Tensor, n_segments: int) -> Tensor:
    """CIELAB (B, 3, H, W), L in [0, 100] -> (B, 5, H, W): scaled colour, row and column."""
    height, width = lab.shape[2:]
    cells = int(math.sqrt(n_segments))
    scale = POSITION_SCALE * max(cells / height, cells / width)
    y, x = (torch.arange(size, dtype=lab.dtype, device=lab.device) * scale for size in (height, width))
    position = torch.stack(torch.meshgrid(y, x, indexing="ij")).expand(len(lab), -1, -1, -1)
    return torch.cat((COLOUR_SCALE * lab, position), 1)


def differentiable_slic(features: Tensor, rows: int, columns: int, iterations: int = ITERATIONS) -> Tensor:
    """Rounds of soft assignment to the 9 cells around each pixel's own, and of cells as weighted means.

    Args:
        features: (B, C, H, W).
        rows, columns: of the grid; rows <= H, columns <= W.

    Returns:
        logits (B, 9, H, W): minus the squared distance to each cell's centre, up to a number that the 9 share; -inf
        for cells outside the grid.
    """
    channels = features.shape[1]
    blocks = _Blocks(features, rows, columns)
    centres = F.adaptive_avg_pool2d(features, (rows, columns))  # (B, C, rows, columns)
    # Distances do not depend on the origin: one in each cell keeps numbers small, and so differences exact.
    origin = centres.flatten(2).mT[:, :, None]  # (B, cells, 1, C)
    x = torch.cat((blocks.gather(features) - origin, torch.ones_like(origin[..., :1]).expand(-1, -1, blocks.pixels, -1)), 3)
    for iteration in range(iterations):
        near = _neighbours(centres) - origin  # (B, cells, 9, C)
        # -|x - c|^2 + |x|^2 = 2 x c - |c|^2, as a product of matrices
        logits = x @ torch.cat((2 * near, -near.square().sum(3, keepdim=True)), 3).mT  # (B, cells, P, 9)
        logits = logits.masked_fill(blocks.outside, -math.inf)
        if iteration < iterations - 1:
            sent = (logits.softmax(3) * blocks.filled).mT @ x  # (B, cells, 9, C + 1): features and weight
            sent = torch.cat((sent[..., :-1] + origin * sent[..., -1:], sent[..., -1:]), 3)
            received = F.fold(sent.permute(0, 3, 2, 1).flatten(1, 2), (rows, columns), 3, padding=1)  # (B, C + 1, rows, columns)
            centres = received[:, :channels] / (received[:, channels:] + EPSILON)
    return blocks.scatter(logits)


def cell_ids(logits: Tensor, rows: int, columns: int) -> Tensor:
    """Logits (B, 9, H, W) -> (B, H, W), the best cell of each pixel, numbered row by row."""
    height, width = logits.shape[2:]
    cells = near_cells(height, width, rows, columns, logits.device)
    return cells.expand(len(logits), -1, -1, -1).gather(1, logits.argmax(1, keepdim=True))[:, 0]


def near_cells(height: int, width: int, rows: int, columns: int, device: torch.device) -> Tensor:
    """(9, H, W), the cells that the 9 channels of each pixel stand for, numbered row by row; any cell for those outside the grid."""
    step = torch.arange(NEIGHBOURS, device=device)[:, None]
    row = (_home(height, rows, device) + step // 3 - 1).clamp(0, rows - 1)  # (9, H)
    column = (_home(width, columns, device) + step % 3 - 1).clamp(0, columns - 1)  # (9, W)
    return row[:, :, None] * columns + column[:, None]


def _home(size: int, cells: int, device: torch.device) -> Tensor:
    """(size,) the cell of each pixel along one axis: cells resized to the nearest."""
    return F.interpolate(torch.arange(cells, dtype=torch.float32, device=device)[None, None], size, mode="nearest")[0, 0].long()


def _neighbours(centres: Tensor) -> Tensor:
    """(B, C, rows, columns) -> (B, cells, 9, C), 0 outside."""
    return F.unfold(centres, 3, padding=1).unflatten(1, (-1, NEIGHBOURS)).permute(0, 3, 2, 1)


class _Blocks:
    """The pixels of each cell side by side, all cells filled up to the same number P: what makes the steps matrix products."""

    def __init__(self, features: Tensor, rows: int, columns: int) -> None:
        (height, width), device = features.shape[2:], features.device
        self._rows, self._columns = _Axis(height, rows, device), _Axis(width, columns, device)
        self.pixels = self._rows.depth * self._columns.depth
        filled = self._rows.filled[:, None, :, None] & self._columns.filled[None, :, None]  # (rows, columns, depth, depth)
        self.filled = filled.reshape(rows * columns, self.pixels, 1)
        inside = F.unfold(torch.ones(1, 1, rows, columns, device=device), 3, padding=1)  # (1, 9, cells)
        self.outside = (inside[0].mT == 0)[:, None]  # (cells, 1, 9)

    def gather(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, cells, P, C)."""
        x = features.permute(0, 2, 3, 1)[:, self._rows.source][:, :, :, self._columns.source]  # (B, rows, depth, columns, depth, C)
        return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)

    def scatter(self, blocks: Tensor) -> Tensor:
        """(B, cells, P, 9) -> (B, 9, H, W)."""
        rows, columns = self._rows, self._columns
        cell = rows.home[:, None] * len(columns.source) + columns.home
        place = rows.place[:, None] * columns.depth + columns.place
        return blocks.flatten(1, 2)[:, cell * self.pixels + place].permute(0, 3, 1, 2)


class _Axis:
    """How the rows or the columns of the image are cut into cells."""

    def __init__(self, size: int, cells: int, device: torch.device) -> None:
        self.home = _home(size, cells, device)  # (size,) cell of each pixel
        counts = torch.bincount(self.home, minlength=cells)
        first = counts.cumsum(0) - counts
        self.place = torch.arange(size, device=device) - first[self.home]  # (size,) of each pixel in its cell
        self.depth = int(counts.max())
        steps = torch.arange(self.depth, device=device)
        self.source = (first[:, None] + steps).clamp(max=size - 1)  # (cells, depth) pixels of each cell
        self.filled = steps < counts[:, None]  # (cells, depth) those that are its own
