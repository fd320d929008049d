"""Crops of any scale and orientation, in colours a little changed: what training sees beside crops as they are.

A crop of S x S pixels at the factor s shows S/s x S/s pixels of its image. Where that is more than the image has, the image goes on
mirrored. Pixels are interpolated bilinearly, as pixel centres lie (like OpenCV's resize), labels are those of the nearest pixel.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SPREAD = 0.35  # standard deviation of the logarithm of the factor: two thirds of the crops lie between 0.7 and 1.42
PLAIN = 0.25  # of the crops keep the factor 1


class Zoom(NamedTuple):
    """The random choices for B crops. top, left: of the window in its image, in pixels, from the upper left corner of the first one."""

    factor: NDArray[np.float64]  # (B,) of magnification
    top: NDArray[np.float64]  # (B,)
    left: NDArray[np.float64]  # (B,)
    transposed: NDArray[np.bool_]  # (B,)


class Places(NamedTuple):
    """Where the pixels of B crops lie, (B, S, S) each: the places in their images, rows and columns, as floats."""

    y: Tensor
    x: Tensor


def draw_zoom(
    rng: np.random.Generator, height: NDArray[np.int64], width: NDArray[np.int64], crop: int, smallest: float, largest: float
) -> Zoom:
    """Choose for images of `height` and `width` (B,); factors in [smallest, largest], windows inside the image where they fit."""
    batch = len(height)
    factor = np.exp(SPREAD * rng.standard_normal(batch)).clip(smallest, largest)
    factor[rng.random(batch) < PLAIN] = 1
    top, left = ((size - crop / factor) * rng.random(batch) for size in (height, width))
    plain = factor == 1
    top[plain], left[plain] = np.round(top[plain]), np.round(left[plain])
    return Zoom(factor, top, left, rng.random(batch) < 0.5)


def places(zoom: Zoom, flip: NDArray[np.bool_], crop: int, device: torch.device) -> Places:
    """The places of all pixels of the crops; `flip` (2, B): rows and columns from the other end."""
    line = torch.arange(crop, device=device, dtype=torch.float64) + 0.5
    table = np.stack((1 / zoom.factor, zoom.top, zoom.left, *flip, zoom.transposed))
    step, top, left, up, back, transposed = torch.from_numpy(table).to(device, non_blocking=True)[..., None]
    rows = top + step * torch.where(up > 0, crop - line, line) - 0.5  # (B, S)
    columns = left + step * torch.where(back > 0, crop - line, line) - 0.5
    turned = transposed[..., None] > 0
    y = torch.where(turned, rows[:, None, :], rows[:, :, None])
    x = torch.where(turned, columns[:, :, None], columns[:, None, :])
    return Places(y, x)


def nearest(place: Tensor, size: Tensor) -> Tensor:
    """The pixel at each place; `size` (B, 1, 1) of the image in that direction."""
    return mirrored((place + 0.5).floor().long(), size)


def interpolated(pixels: Tensor, image_start: Tensor, where: Places, height: Tensor, width: Tensor) -> Tensor:
    """Bilinear values (B, S, S, 3) float32 in 0..255 of resident `pixels` (N, 3) uint8; the sizes of the images are (B, 1, 1)."""
    y, x = where.y.floor(), where.x.floor()
    down, right = ((place - whole).float()[..., None] for place, whole in ((where.y, y), (where.x, x)))
    rows = [image_start + mirrored(y.long() + step, height) * width for step in (0, 1)]
    columns = [mirrored(x.long() + step, width) for step in (0, 1)]
    upper, lower = (torch.lerp(pixels[row + columns[0]].float(), pixels[row + columns[1]].float(), right) for row in rows)
    return torch.lerp(upper, lower, down)


def mirrored(index: Tensor, size: Tensor) -> Tensor:
    """Indices inside 0..size-1, mirrored at the edge pixels' outer sides as often as needed."""
    index = index.remainder(2 * size)
    return torch.minimum(index, 2 * size - 1 - index)


def change_colours(image: Tensor, amount: Tensor) -> Tensor:
    """(B, S, S, 3) in 0..1 -> the same with a factor for each channel and an exponent; `amount` (B, 4), logarithms of the four."""
    factor, exponent = amount.exp()[:, None, None].split((3, 1), dim=-1)
    return (image * factor).clamp(0, 1) ** exponent
