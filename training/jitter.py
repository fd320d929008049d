"""Patch jitter augmentation of AINet (paper Sec. 3.4, Eq. 10): hard local changes that keep image and label in step.

Every change only moves pixels, so a crop is described by where each of its pixels comes from: `source` (B, S, S) holds
y * S + x of the pixel to read, and image and label are gathered with the same map. Per crop and with probability 1/2 each:

- patch shuffle: two 16 x 16 patches that do not overlap are exchanged;
- random patch: a 16 x 16 patch becomes noise and takes a label that no other pixel has;
- random shift: a strip of 16 x L or L x 16 pixels is moved along its length by up to 16 pixels; what leaves at one end
  enters at the other.

The paper leaves the probabilities open; 1/2 is the public code's. The public code exchanges through views of the same
tensor, so that the first patch is lost and the second is there twice: "public" repeats that.
"""

from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ainet.spec import CELL_SIZE

Jitter = Literal["off", "paper", "public"]


class JitterDraws(NamedTuple):
    """The random choices for B crops, as int64 arrays; (B, 2) are (row, column). All zeros in `apply` change nothing."""

    apply: NDArray[np.int64]  # (B, 3) 0 or 1: shuffle, random patch, shift
    first: NDArray[np.int64]  # (B, 2) corner of a patch to exchange
    second: NDArray[np.int64]  # (B, 2) corner of the other
    noise: NDArray[np.int64]  # (B, 2) corner of the random patch
    vertical: NDArray[np.int64]  # (B,) 0 or 1: the strip runs along the rows' index
    across: NDArray[np.int64]  # (B,) where the strip starts across its length
    start: NDArray[np.int64]  # (B,) where it starts along its length
    length: NDArray[np.int64]  # (B,) L, 16..S
    offset: NDArray[np.int64]  # (B,) -16..16 without 0


def draw_jitter(rng: np.random.Generator, batch: int, crop: int) -> JitterDraws:
    """Choose at random; `crop` is S, at least 32 so that two patches find room."""
    corners = crop - CELL_SIZE + 1
    first, second, noise = rng.integers(corners, size=(3, batch, 2))
    overlap = _overlap(first, second)
    while overlap.any():
        first[overlap], second[overlap] = rng.integers(corners, size=(2, int(overlap.sum()), 2))
        overlap = _overlap(first, second)
    start = rng.integers(corners, size=batch)
    return JitterDraws(
        apply=rng.integers(2, size=(batch, 3)),
        first=first,
        second=second,
        noise=noise,
        vertical=rng.integers(2, size=batch),
        across=rng.integers(corners, size=batch),
        start=start,
        length=rng.integers(CELL_SIZE, crop - start, endpoint=True),
        offset=rng.integers(1, CELL_SIZE, endpoint=True, size=batch) * rng.choice((-1, 1), batch),
    )


def _overlap(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(B,) which of the patches at corners (B, 2) have pixels in common."""
    return (np.abs(first - second) < CELL_SIZE).all(1)


def jitter_map(draws: JitterDraws, crop: int, device: torch.device | str, public: bool = False) -> tuple[Tensor, Tensor]:
    """Where the pixels of jittered crops come from.

    The changes are made in the order shuffle, random patch, shift; a map from result to source undoes them from the last.

    Returns:
        source: (B, S, S) int64, y * S + x in the plain crop; random: (B, S, S) bool, pixels of the random patch.
    """
    apply, first, second, noise, vertical, across, start, length, offset = (
        torch.from_numpy(values).to(device, non_blocking=True)[..., None, None] for values in draws
    )
    line = torch.arange(crop, device=device)
    y, x = line[:, None], line

    along, beside = torch.where(vertical == 1, y, x), torch.where(vertical == 1, x, y)  # (B, S, S)
    strip = _within(along, start, length) & _within(beside, across, CELL_SIZE) & (apply[:, 2] == 1)
    along = along.where(~strip, start + (along - start - offset) % length)
    y, x = torch.where(vertical == 1, along, beside), torch.where(vertical == 1, beside, along)

    random = _inside(y, x, noise) & (apply[:, 1] == 1)
    shuffled = apply[:, 0] == 1
    move = (_inside(y, x, first) & shuffled).long()
    if not public:
        move = move - (_inside(y, x, second) & shuffled).long()
    y = y + move * (second[:, 0] - first[:, 0])
    x = x + move * (second[:, 1] - first[:, 1])
    return y * crop + x, random


def _within(position: Tensor, start: Tensor, length: Tensor | int) -> Tensor:
    return (position >= start) & (position < start + length)


def _inside(y: Tensor, x: Tensor, corner: Tensor) -> Tensor:
    """Which positions lie in the 16 x 16 patch at `corner` (B, 2, 1, 1)."""
    return _within(y, corner[:, 0], CELL_SIZE) & _within(x, corner[:, 1], CELL_SIZE)
