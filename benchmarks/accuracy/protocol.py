"""The public evaluation protocol of SCN and AINet, on each of its data sets.

samples = BSDS.open("BSDS500/data", "val")
BSDS.segments_at(0.5)    # 150 superpixels are asked for at half scale
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ainet.training.datasets import FileSample, bsds500, nyuv2


@dataclass(frozen=True)
class Protocol:
    """What the protocol fixes for one data set."""

    data: str  # name of the data set
    scales: tuple[float, ...]
    segments: int  # asked for at scale 1
    sizes: tuple[tuple[int, int], ...]  # (H, W) that its images have
    splits: Mapping[str, int]  # and how many images each has
    open: Callable[[str | os.PathLike[str], str], Sequence[FileSample]]  # root, split

    def segments_at(self, scale: float) -> int:
        """The number of superpixels that is asked for: int(segments s^2)."""
        return int(self.segments * scale * scale)


BSDS = Protocol(
    "BSDS500",
    (*(tenths / 10 for tenths in range(3, 17)), 1.8),
    600,
    ((321, 481), (481, 321)),
    {"train": 200, "val": 100, "test": 200},
    bsds500,
)
NYUV2 = Protocol("NYUv2", tuple(tenths / 10 for tenths in range(5, 15)), 1200, ((448, 608),), {"train": 200, "test": 400}, nyuv2)
PROTOCOLS = {protocol.data: protocol for protocol in (BSDS, NYUV2)}
